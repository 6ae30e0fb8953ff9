#!/usr/bin/env python3
"""Mirrors a file, such as a log, into a room, as it grows.

usage: mirror.py [--from-start] FILE HOST[:PORT][/ROOM] --nick NAME [any other option of `e2echat join`]

It begins at the end of the file, or with --from-start at its beginning. When the file is truncated,
or replaced by another one of the same name, it goes on with what is there then; when there is none,
it waits for one. Lines that come together are one message, a line that is too long for one is
several, blank lines are left out.

One message is under way at a time, and the next one is made when the relay has taken it: what
cannot be sent yet stays in the file. So nothing is lost or said twice while the connection is
broken, or the relay starts anew; how long to try to get it back is what --reconnect says. What
somebody has not got for good is said on standard error.

Ctrl-C or SIGTERM has it say what is left in the file, and leave; the second one, leave at once.
It answers nobody. Do not have it mirror what --log writes about the same room. E2ECHAT in the
environment is the program to run, if `e2echat` is not in the PATH.

What it is told and may ask for is in docs/JSON.md.
"""

import codecs
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time

MOST_BYTES = 4096
# A line of which so much has come is not waited for any longer.
LONGEST = 64 * 1024
# How often to look at the file, in seconds.
POLL = 0.2


class Follower:
    """Reads what is added to whatever file has a name at the time."""

    def __init__(self, path, from_start):
        self.path, self.file, self.rest = path, None, b""
        self.open()
        if self.file and not from_start:
            self.file.seek(0, os.SEEK_END)

    def open(self):
        try:
            self.file = open(self.path, "rb")
        except FileNotFoundError:
            self.file = None

    def has_moved(self):
        """Whether the file was truncated, or another one has its name."""
        here = os.fstat(self.file.fileno())
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            # Until there is another one, this one may still grow.
            return False
        return not os.path.samestat(here, there) or here.st_size < self.file.tell()

    def take(self, is_whole):
        """What has been read, but for the beginning of a character of which the rest may come."""
        text, used = codecs.utf_8_decode(self.rest, "replace", is_whole)
        self.rest = self.rest[used:]
        return text.rstrip("\r\n")

    def line(self):
        """The next line, or None if there is none yet."""
        while True:
            if self.file is None:
                self.open()
                if self.file is None:
                    return None
            # This is found out first: so all that was written before it is read.
            has_moved = self.has_moved()
            self.rest += self.file.readline(LONGEST)
            is_whole = self.rest.endswith(b"\n")
            if is_whole or len(self.rest) >= LONGEST:
                return self.take(is_whole)
            if not has_moved:
                return None
            self.file.close()
            self.file = None
            if self.rest:
                return self.take(True)


class Chat:
    """A room, in which one thing is said after another."""

    def __init__(self, arguments):
        command = [os.environ.get("E2ECHAT", "e2echat"), "join", *arguments, "--json"]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            # A Ctrl-C is for this program alone to hear, which leaves when it has finished.
            start_new_session=True,
        )
        self.number = 0
        self.is_leaving = False
        # The number of what has been answered, or None when there will be no more answers.
        self.answers = queue.Queue()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            event = json.loads(line)
            if event["type"] in ("error", "alarm"):
                print(event["text"], file=sys.stderr)
            if event["type"] in ("ack", "error") and "id" in event:
                self.answers.put(event["id"])
        self.answers.put(None)

    def say(self, text):
        """Says something, and waits until it is taken or refused. Whether that has come to be."""
        self.number += 1
        request = {"type": "say", "text": text, "id": str(self.number)}
        try:
            print(json.dumps(request), file=self.process.stdin, flush=True)
        except BrokenPipeError:
            return False
        return self.answers.get() is not None

    def has_ended(self):
        return self.process.poll() is not None

    def stop(self, *_):
        """Has it leave soon; the second time at once. Called by a signal."""
        if self.is_leaving:
            self.process.terminate()
        self.is_leaving = True

    def leave(self):
        """Leaves once everything is delivered, and returns the exit status."""
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        return self.process.wait()


def pieces(text):
    """Cuts a text into pieces that fit into a message, and no character in two."""
    data = text.encode()
    while len(data) > MOST_BYTES:
        end = MOST_BYTES
        while data[end] & 0xC0 == 0x80:
            end -= 1
        yield data[:end].decode()
        data = data[end:]
    yield data.decode()


def messages(follower):
    """What there is to say now, as few messages as hold it."""
    message = ""
    while (line := follower.line()) is not None:
        for piece in filter(str.strip, pieces(line)):
            longer = message + "\n" + piece if message else piece
            if len(longer.encode()) <= MOST_BYTES:
                message = longer
            else:
                yield message
                message = piece
    if message:
        yield message


def mirror(follower, chat):
    """Says what there is, until it is to leave and there is no more, or the chat is over."""
    while not chat.has_ended():
        is_last = chat.is_leaving
        for message in messages(follower):
            if not chat.say(message):
                return
        if is_last:
            # A line that has no end.
            for piece in filter(str.strip, pieces(follower.take(True))):
                chat.say(piece)
            return
        time.sleep(POLL)


def main():
    arguments = sys.argv[1:]
    if len(arguments) < 2 or arguments[0] in ("-h", "--help"):
        print(__doc__.strip())
        return 0 if arguments else 2
    from_start = arguments[0] == "--from-start"
    if from_start:
        arguments.pop(0)
    try:
        follower = Follower(arguments[0], from_start)
    except OSError as error:
        print(f"mirror.py: {error}", file=sys.stderr)
        return 1
    chat = Chat(arguments[1:])
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, chat.stop)
    mirror(follower, chat)
    return chat.leave()


if __name__ == "__main__":
    sys.exit(main())
