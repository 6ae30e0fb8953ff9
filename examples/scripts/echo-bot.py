#!/usr/bin/env python3
"""A bot that says again what somebody says to it.

usage: echo-bot.py HOST[:PORT][/ROOM] --nick NAME [any other option of `e2echat join`]

It answers where it is mentioned, and who writes to it alone. What begins with `> ` it does not
answer, as that is how it begins itself: so two of them leave each other alone. Ctrl-C or SIGTERM
has it leave. E2ECHAT in the environment is the program to run, if `e2echat` is not in the PATH.

What it is told and may ask for is in docs/JSON.md.
"""

import json
import os
import signal
import subprocess
import sys

MARK = "> "
MOST_BYTES = 4096


def echo(text):
    """The text behind the mark, cut off where it would be too long."""
    return (MARK + text).encode()[:MOST_BYTES].decode(errors="ignore")


def answer(event):
    """What to ask for because of an event, if anything."""
    kind, text = event["type"], event.get("text", "")
    if text.startswith(MARK):
        return None
    if kind == "message" and event["mentions"]:
        return {"type": "say", "text": echo(text)}
    if kind == "direct" and not event["action"]:
        return {"type": "direct", "to": event["nick"], "text": echo(text)}
    return None


def main():
    if not sys.argv[1:] or sys.argv[1] in ("-h", "--help"):
        print(__doc__.strip())
        return 0 if sys.argv[1:] else 2
    command = [os.environ.get("E2ECHAT", "e2echat"), "join", *sys.argv[1:], "--json"]
    chat = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        # A Ctrl-C is for this program alone to hear, which passes it on.
        start_new_session=True,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        # The program says goodbye and ends; with it ends its output, and so the loop.
        signal.signal(number, lambda *_: chat.terminate())
    for line in chat.stdout:
        event = json.loads(line)
        if event["type"] in ("error", "alarm"):
            print(event["text"], file=sys.stderr)
        request = answer(event)
        if request is not None:
            try:
                print(json.dumps(request), file=chat.stdin, flush=True)
            except BrokenPipeError:
                break
    return chat.wait()


if __name__ == "__main__":
    sys.exit(main())
