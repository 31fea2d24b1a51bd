"""Settings of `make demo`: the sandbox's, with a coaching partner to talk to and a Celery worker to do the talking."""

import os

from partner import OPT_OUT_SECRET, WEBHOOK_SECRET

from lms.envs.sandbox import *  # noqa: F403
from lms.envs.sandbox import DATA_DIR, PORT

SANDBOX_PARTNER_PORT = int(os.environ.get("PARTNER_PORT") or int(PORT) + 1)
SANDBOX_PARTNER_URL = f"http://127.0.0.1:{SANDBOX_PARTNER_PORT}"

# A broker of files needs no server. Its messages are moved out of the first folder as they are read.
if not os.environ.get("CELERY_BROKER_URL"):
    _FOLDERS = {name: DATA_DIR / "broker" / name for name in ("messages", "exchanges")}
    for _folder in _FOLDERS.values():
        _folder.mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_URL = "filesystem://localhost"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_FOLDERS["messages"]),
        "data_folder_out": str(_FOLDERS["messages"]),
        "control_folder": str(_FOLDERS["exchanges"]),
        "polling_interval": 0.2,
    }
    CELERY_TASK_ALWAYS_EAGER = False
# Nobody watches the worker or gives it orders, and nobody asks what a task returned.
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_LOG_FORMAT = "[worker] %(levelname)s %(message)s"

# What the environment says of the plugin holds here, too.
if "COACHING_PARTNER_CHANNELS" not in os.environ:
    (DATA_DIR / "roster").mkdir(parents=True, exist_ok=True)
    COACHING_PARTNER_CHANNELS = {
        "webhook": {
            "BACKEND": "coaching_plugin.partner.webhook.WebhookChannel",
            "OPTIONS": {"url": f"{SANDBOX_PARTNER_URL}/webhook", "secrets": [WEBHOOK_SECRET], "timeout": 5},
        },
        "roster": {
            "BACKEND": "coaching_plugin.partner.roster_file.FolderChannel",
            "OPTIONS": {"folder": str(DATA_DIR / "roster"), "format": "csv", "interval_minutes": 1},
        },
    }
if "COACHING_PARTNER_OPT_OUT_SECRETS" not in os.environ:
    COACHING_PARTNER_OPT_OUT_SECRETS = [OPT_OUT_SECRET]
