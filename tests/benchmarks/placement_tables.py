"""The tables that placement.py writes, in markdown."""

from statistics import mean, median

BATCH = 40


def prediction_table(rows):
    """A row a case, and the mean and the worst error of each place and of all."""
    lines = [
        "| place | layout | ranks | measured ms | predicted ms | error |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    known = [row for row in rows if "measured" in row and "predicted" in row]
    for row in known:
        error = row["predicted"] / row["measured"] - 1
        lines.append(
            f"| {row['place']} | `{row['layout']}` | {row['ranks']} | {1e3 * row['measured']:.1f} | "
            f"{1e3 * row['predicted']:.1f} | {100 * error:+.1f}% |"
        )
    places = [*dict.fromkeys(row["place"] for row in known)]
    for name, some in [(place, [row for row in known if row["place"] == place]) for place in places] + [
        ("all", known)
    ]:
        errors = [abs(row["predicted"] / row["measured"] - 1) for row in some]
        if errors:
            text = f"{name}: mean error {100 * mean(errors):.1f}%, worst {100 * max(errors):.1f}%"
            lines.append(f"\n{text}")
    return "\n".join(lines)


def hosts_table(rows):
    """A row a number of hosts, with what it gains over one such host in the same place and rounds."""
    lines = [
        "| link | host's CPU | trained | hosts | ms a step | patches/s | times one | half of rounds |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    known = [row for row in rows if "measured" in row]
    alone = {(row["place"], row["quota"]): row["seconds"] for row in known if row["ranks"] == 1}
    for row in known:
        if (row["place"], row["quota"]) in alone:
            ratios = ratios_of(alone[row["place"], row["quota"]], row["seconds"])
            speed = f"{1e3 * row['measured']:.1f} | {row['batch'] / row['measured']:.0f}"
            host = f"{row['rate']} | {row['quota']:.0%} | {row['trained']} | {row['ranks']}"
            middle = f"{ratios[len(ratios) // 4]:.2f} to {ratios[3 * len(ratios) // 4]:.2f}"
            lines.append(f"| {host} | {speed} | {median(ratios):.2f} | {middle} |")
    return "\n".join(lines)


def ratios_of(longer, shorter):
    """How many times as long a step took, round by round, in order."""
    return sorted(a / b for a, b in zip(longer, shorter, strict=False))


def peers_table(rows):
    """A row a way, and how many times as fast as the best of the others ours are, exact and rounded."""
    lines = ["| place | way | patches/s | ms a step |", "| --- | --- | --- | --- |"]
    known = [row for row in rows if "measured" in row]
    for row in sorted(known, key=lambda row: (row["place"], row["measured"])):
        milliseconds = 1e3 * row["measured"]
        lines.append(
            f"| {row['place']} | {row['way']} | {BATCH / row['measured']:.0f} | {milliseconds:.1f} |"
        )
    for place in dict.fromkeys(row["place"] for row in known):
        here = [row for row in known if row["place"] == place]
        theirs = [row for row in here if not row.get("ours")]
        exact = [row for row in theirs if "bfloat16" not in row["way"]]
        for row in here:
            if row.get("ours") and exact:
                best = [min(some, key=lambda row: row["measured"]) for some in (theirs, exact)]
                times = [f"{median(ratios_of(each['seconds'], row['seconds'])):.2f}" for each in best]
                lines.append(
                    f"\n{place}: {row['way']} {times[0]} times the best of PyTorch's ways, "
                    f"{times[1]} times the best that rounds nothing"
                )
    return "\n".join(lines)
