"""A notice on the desktop, by what each system brings along for that."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

SECONDS = 10.0
"""How long showing it may take: a desktop that hangs holds nobody up."""
_TITLE, _TEXT = "COSMOS_WORKFLOW_NOTICE_TITLE", "COSMOS_WORKFLOW_NOTICE_TEXT"
_APPLESCRIPT = ("on run argv", "display notification (item 2 of argv) with title (item 1 of argv)", "end run")
_POWERSHELL = f"""
$ErrorActionPreference = 'Stop'
$manager = [Windows.UI.Notifications.ToastNotificationManager, Windows.UI.Notifications, ContentType = WindowsRuntime]
$toast = $manager::GetTemplateContent([Windows.UI.Notifications.ToastTemplateType]::ToastText02)
$texts = $toast.GetElementsByTagName('text')
$texts.Item(0).AppendChild($toast.CreateTextNode($env:{_TITLE})) > $null
$texts.Item(1).AppendChild($toast.CreateTextNode($env:{_TEXT})) > $null
$shell = '{{1AC14E77-02E7-4E5D-B744-2EB1AE5198B7}}\\WindowsPowerShell\\v1.0\\powershell.exe'
$manager::CreateToastNotifier($shell).Show([Windows.UI.Notifications.ToastNotification]::new($toast))
"""


def command_for(platform: str, title: str, text: str) -> list[str]:
    """What shows a notice on a system; nothing of title and text is taken for code."""
    if platform == "darwin":
        return ["osascript", *(word for line in _APPLESCRIPT for word in ("-e", line)), title, text]
    if platform == "win32":
        return ["powershell", "-NoProfile", "-NonInteractive", "-Command", _POWERSHELL]
    return ["notify-send", "--app-name=Cosmos Workflow", "--", title, text]


def show_notice(title: str, text: str, platform: str = sys.platform) -> str:
    """Show a notice; why that wasn't possible, in a sentence, or nothing."""
    command = command_for(platform, title, text)
    program = shutil.which(command[0])
    if program is None:
        remedy = " (Debian and Ubuntu have it in libnotify-bin)" if command[0] == "notify-send" else ""
        return f"No notice could be shown: {command[0]} isn't there{remedy}."
    told = {**os.environ, _TITLE: title, _TEXT: text}
    try:
        done = subprocess.run([program, *command[1:]], env=told, capture_output=True, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return f"No notice could be shown: {command[0]} gave no answer for {SECONDS:g} s."
    except OSError as error:
        return f"No notice could be shown: {command[0]} can't be run ({error.strerror})."
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return "" if done.returncode == 0 else f"No notice could be shown: {said[0] if said else f'{command[0]} failed'}"
