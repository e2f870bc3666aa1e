"""The package list in setup.cfg says what the folders hold."""

import configparser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def settings() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def folders_with_code() -> set[str]:
    packages = ((ROOT, "mpmm"), (ROOT / "kernels", "mpmm_kernels"))
    return {
        ".".join(path.parent.relative_to(base).parts)
        for base, package in packages
        for path in (base / package).rglob("__init__.py")
    }


def test_every_folder_with_code_is_packaged():
    assert set(settings()["options"]["packages"].split()) == folders_with_code()


def test_stubs_of_faces_are_packaged():
    assert settings()["options.package_data"]["*"] == "*.pyi"


def test_version_is_the_packages_own():
    import mpmm

    assert settings()["metadata"]["version"] == mpmm.__version__


def test_every_dependency_has_its_reason():
    lines = settings()["options"]["install_requires"].strip().splitlines()
    # configparser drops comments, so the reasons are looked for in the file itself
    text = (ROOT / "setup.cfg").read_text().splitlines()
    for name in lines:
        above = next(text[i - 1] for i, line in enumerate(text) if line.strip() == name)
        assert above.strip().startswith("#") or above.strip() in lines, f"{name} has no reason above it"
