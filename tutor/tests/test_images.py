"""What the Docker images are built with: each Dockerfile read by Docker's own parser, each command by a shell."""

import subprocess

import dockerfile
import pytest
from conftest import HAS_MFE, needs_mfe

OPENEDX = "build/openedx/Dockerfile"
MFE = "plugins/mfe/build/mfe/Dockerfile"


def stages(project, path):
    """Return the commands of each stage, by its name; each a tuple of keyword, flags and text."""
    found = {}
    for command in dockerfile.parse_file(str(project.file(path))):
        keyword = command.cmd.upper()
        if keyword == "FROM":
            stage = found.setdefault(command.value[-1], [])
        elif found:
            stage.append((keyword, command.flags, " ".join(command.value)))
    return found


def ours(commands):
    return [number for number, (_, _, text) in enumerate(commands) if "coaching" in text]


def assert_every_command_parses(found):
    for commands in found.values():
        for keyword, _, text in commands:
            if keyword == "RUN":
                done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True)
                assert done.returncode == 0, text + done.stderr


def number_of(commands, text):
    (number,) = (number for number, command in enumerate(commands) if text in command[2])
    return number


def test_the_lms_image_installs_the_package_after_the_platforms_requirements(project):
    found = stages(project, OPENEDX)
    assert_every_command_parses(found)
    assert {name for name, commands in found.items() if ours(commands)} == {"python-requirements"}
    commands = found["python-requirements"]
    (number,) = ours(commands)
    keyword, flags, text = commands[number]
    assert (keyword, text) == ("RUN", "$PIP_COMMAND install 'platform-plugin-coaching~=0.1.0'")
    assert flags == ("--mount=type=cache,target=/openedx/.cache/pip,sharing=shared",)
    assert number > number_of(commands, "requirements/edx/base.txt")


SOURCES = [
    "platform-plugin-coaching==0.1.0",
    "git+https://git.example.com/platform-plugin-coaching.git@v0.1.0",
    "platform-plugin-coaching @ https://files.example.com/platform_plugin_coaching-0.1.0-py3-none-any.whl",
    "platform-plugin-coaching>=0.1,<0.3",
]


@pytest.fixture(scope="module")
def another(new_project):
    return new_project().enable("coaching")


@pytest.mark.parametrize("source", SOURCES)
def test_the_python_package_comes_from_where_the_operator_says(another, source):
    another.configure(COACHING_PIP_REQUIREMENT=f'"{source}"')
    found = stages(another, OPENEDX)
    assert_every_command_parses(found)
    (number,) = ours(found["python-requirements"])
    assert found["python-requirements"][number][2] == f"$PIP_COMMAND install '{source}'"


@needs_mfe
def test_every_mfe_image_installs_the_npm_package_after_its_own_packages(project):
    found = stages(project, MFE)
    assert_every_command_parses(found)
    mfes = {name.removesuffix("-common") for name in found if name.endswith("-common")} - {"site"}
    assert {"account", "learner-dashboard", "learning", "authn"} <= mfes
    assert {name for name, commands in found.items() if ours(commands)} == {f"{name}-common" for name in mfes}
    for name in mfes:
        commands = found[f"{name}-common"]
        (number,) = ours(commands)
        keyword, _, text = commands[number]
        assert keyword == "RUN"
        assert text.startswith("npm install ")
        assert text.endswith("--registry=$NPM_REGISTRY 'frontend-plugin-coaching@^0.1.0'")
        # Where the lockfile is read again nothing of ours would be left; the source does not bring node_modules.
        assert number_of(commands, "npm clean-install") < number < number_of(commands, "/ /openedx/app")


@needs_mfe
@pytest.mark.parametrize("source", ["frontend-plugin-coaching@0.1.0", "https://files.example.com/coaching-0.1.0.tgz"])
def test_the_npm_package_comes_from_where_the_operator_says(new_project, source):
    project = new_project().enable("mfe", "coaching").configure(COACHING_NPM_PACKAGE=source)
    found = stages(project, MFE)
    assert_every_command_parses(found)
    (number,) = ours(found["account-common"])
    assert found["account-common"][number][2].endswith(f" '{source}'")


@pytest.fixture(scope="module")
def mounted(new_project, tmp_path_factory):
    checkout = tmp_path_factory.mktemp("work") / "platform-plugin-coaching"
    checkout.mkdir()
    project = new_project().enable(*(["mfe"] if HAS_MFE else []), "coaching")
    project.tutor("mounts", "add", str(checkout))
    return project, str(checkout)


def test_a_mounted_checkout_is_what_the_lms_image_installs(mounted):
    project, checkout = mounted
    found = stages(project, OPENEDX)
    assert not ours(found["python-requirements"]), "a package index need not have it"
    assert '-e "/mnt/platform-plugin-coaching"' in " ".join(text for _, _, text in found["production"])
    assert [checkout, "mnt-platform-plugin-coaching"] in project.plan()["build_contexts"]["openedx"]


@needs_mfe
def test_a_mounted_checkout_is_what_the_mfe_images_install(mounted):
    project, checkout = mounted
    found = stages(project, MFE)
    assert_every_command_parses(found)
    commands = found["account-common"]
    first, second, third = (commands[number] for number in ours(commands))
    assert [first[:2], second[:2]] == [("COPY", ("--from=mnt-platform-plugin-coaching",))] * 2
    assert first[2] == "/frontend/package.json /openedx/frontend-plugin-coaching/"
    assert second[2] == "/frontend/dist /openedx/frontend-plugin-coaching/dist"
    assert third[2].split()[:2] == ["npm", "install"]
    assert "--install-links" in third[2].split()
    assert third[2].endswith(" /openedx/frontend-plugin-coaching")
    contexts = project.plan()["build_contexts"]
    for image in ("mfe", "account-dev", "learner-dashboard-dev", "learning-dev"):
        assert [checkout, "mnt-platform-plugin-coaching"] in contexts[image]


@needs_mfe
def test_another_mounted_folder_is_none_of_our_business(new_project, tmp_path):
    folder = tmp_path / "platform-plugin-other"
    folder.mkdir()
    project = new_project().enable("mfe", "coaching")
    project.tutor("mounts", "add", str(folder))
    assert "mfe" not in project.plan()["build_contexts"]
    assert ours(stages(project, OPENEDX)["python-requirements"])
