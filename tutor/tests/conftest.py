"""A Tutor project of its own for each test that asks for one, made by Tutor's own commands, without Docker."""

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

HAS_MFE = find_spec("tutormfe") is not None
needs_mfe = pytest.mark.skipif(not HAS_MFE, reason="tutor-mfe is not installed here: see tox.ini for where it is")

# Runs within a project: what its init would do, in order, rendered as the containers would get it.
INIT_TASKS = """
import json, sys
from tutor import config as tutor_config, env, hooks
from tutor.commands import jobs  # knows the LMS's own tasks
from tutor.commands.images import get_image_build_contexts

root = sys.argv[1]
hooks.Actions.CORE_READY.do()
hooks.Actions.PROJECT_ROOT_READY.do(root)
config = tutor_config.load(root)

def rendered(context):
    tasks = hooks.Filters.CLI_DO_INIT_TASKS.iterate_from_context(context)
    return [(service, env.render_str(config, task)) for service, task in tasks]

print(json.dumps({
    "all": rendered(None),
    "coaching": rendered(hooks.Contexts.app("coaching").name),
    "build_contexts": get_image_build_contexts(config),
}))
"""


class Project:
    """A Tutor root with the files that Tutor rendered into it."""

    def __init__(self, root: Path):
        self.root = root / "root"
        self.plugins = root / "plugins"

    def run(self, *command):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TUTOR_")}
        environment |= {"TUTOR_ROOT": str(self.root), "TUTOR_PLUGINS_ROOT": str(self.plugins)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def tutor(self, *arguments):
        """Run a Tutor command, and return what it printed."""
        return self.run(str(Path(sys.executable).with_name("tutor")), *arguments)

    def enable(self, *plugins):
        self.tutor("plugins", "enable", *plugins)
        return self

    def configure(self, **values):
        """Save values, given as YAML, in the project's configuration."""
        self.tutor("config", "save", *(part for name, value in values.items() for part in ("--set", f"{name}={value}")))
        return self

    def write_plugin(self, name, text):
        """Add a plugin of the operator's own."""
        (self.plugins / name).write_text(text, encoding="utf-8")
        return self

    def file(self, path):
        return self.root / "env" / path

    def text(self, path):
        return self.file(path).read_text(encoding="utf-8")

    def plan(self):
        """Return what its init would run, and what its image builds would be given."""
        return json.loads(self.run(sys.executable, "-c", INIT_TASKS, str(self.root)).splitlines()[-1])

    def mentions(self):
        """Return the files that know of coaching."""
        files = (path for path in (self.root / "env").rglob("*") if path.is_file())
        return {
            path.relative_to(self.root / "env").as_posix() for path in files if b"coaching" in path.read_bytes().lower()
        }


@pytest.fixture(scope="session")
def untouched(tmp_path_factory):
    """Return the folder of a project without any plugin. Making one takes a while: it generates keys."""
    folder = tmp_path_factory.mktemp("untouched")
    project = Project(folder)
    project.plugins.mkdir()
    project.tutor("config", "save")
    if HAS_MFE:
        # A new project has the plugins that came with it.
        project.tutor("plugins", "disable", "mfe")
    return folder


@pytest.fixture(scope="session")
def new_project(untouched, tmp_path_factory):
    """Return a function that makes a project without any plugin."""

    def new():
        return Project(shutil.copytree(untouched, tmp_path_factory.mktemp("tutor") / "project"))

    return new


@pytest.fixture(scope="session")
def project(new_project):
    """Return a project with everything at its default, tutor-mfe enabled where it is installed; left as it is."""
    return new_project().enable(*(["mfe"] if HAS_MFE else []), "coaching")
