"""What a run folder says of a run, also an old, interrupted or foreign one: read, never guessed."""

__all__: list[str] = []
