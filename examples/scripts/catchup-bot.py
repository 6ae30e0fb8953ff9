#!/usr/bin/env python3
"""A bot that hands the last thousand messages on to those who ask for it with /catchup.

usage: catchup-bot.py FILE HOST[:PORT][/ROOM] --nick NAME [any other option of `e2echat join`]

FILE has the fingerprints of those whom it serves, one a line; what stands behind the first space of a
line is a remark. It is read anew for each wish. Nobody else gets anything, whatever they are called.
The program itself keeps the messages, in its memory alone: let the bot run, so that it has them.
Ctrl-C or SIGTERM has it leave. E2ECHAT in the environment is the program to run, if `e2echat` is not
in the PATH.

What it is told and may ask for is in docs/JSON.md.
"""

import json
import os
import signal
import subprocess
import sys
import time

MOST = 1000
PAUSE = 60


def served(path):
    """The fingerprints in the file."""
    with open(path, encoding="utf-8") as lines:
        return {line.split()[0] for line in lines if line.strip()}


def main():
    if not sys.argv[2:] or sys.argv[1] in ("-h", "--help"):
        print(__doc__.strip())
        return 0 if sys.argv[1:] else 2
    path = sys.argv[1]
    try:
        served(path)
    except OSError as error:
        print(f"catchup-bot.py: {error}", file=sys.stderr)
        return 1
    command = [os.environ.get("E2ECHAT", "e2echat"), "join", *sys.argv[2:], "--json"]
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
    answered = {}
    for line in chat.stdout:
        event = json.loads(line)
        if event["type"] in ("error", "alarm"):
            print(event["text"], file=sys.stderr)
        if event["type"] != "catchup":
            continue
        # A nick can be anybody's by now.
        who, now = event["fingerprint"], time.monotonic()
        if who not in served(path) or now - answered.get(who, -PAUSE) < PAUSE:
            continue
        answered[who] = now
        request = {"type": "command", "text": f"/share {who} {MOST}"}
        try:
            print(json.dumps(request), file=chat.stdin, flush=True)
        except BrokenPipeError:
            break
    return chat.wait()


if __name__ == "__main__":
    sys.exit(main())
