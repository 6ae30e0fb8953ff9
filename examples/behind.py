#!/usr/bin/env python3
"""Measures how fast readers that were stopped show what waits for them, for several programs side by side.

    behind.py [--lines 1000] [--bytes 40] [--rounds 5] [--against COMMIT --folder FOLDER] [PROGRAM...]

With --against it builds the program of that commit and the present one, in folders of their own, and measures these.
The former gets the same version of `rsa` as the present one: without that, the library would be what differs.

Each program serves, speaks and reads in a room of its own. In each round, a reader of each in turn is stopped,
is sent the lines, and goes on: the time is from there to its last line. To open one line of 3783 bytes, 20 blocks
are decrypted.
"""

import argparse
import pathlib
import re
import signal
import statistics
import subprocess
import tempfile
import threading
import time


ROOT = pathlib.Path(__file__).resolve().parent.parent


def build(folder, target):
    command = ["cargo", "build", "--release", "--bin", "e2echat", "--target-dir", target]
    subprocess.run(command, cwd=folder, check=True)
    return str(target / "release" / "e2echat")


def build_both(commit, folder):
    """Builds the program of a commit, and the present one."""
    former = folder / commit
    if not former.exists():
        former.mkdir(parents=True)
        files = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True)
        subprocess.run(["tar", "-x"], cwd=former, check=True, input=files.stdout)
    version = re.compile(r'^rsa = ".*"$', re.MULTILINE)
    present = version.search((ROOT / "Cargo.toml").read_text()).group()
    manifest = former / "Cargo.toml"
    manifest.write_text(version.sub(present, manifest.read_text()))
    return [build(former, folder / f"{commit}-target"), build(ROOT, folder / "present-target")]


def start(command, **options):
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)


def wait_for(process, is_it):
    for line in process.stdout:
        if is_it(line):
            return
    raise SystemExit("a program has ended")


def join(program, address, nick, home):
    command = [program, "join", address, "--room", "room", "--nick", nick]
    environment = {"HOME": home, "XDG_DATA_HOME": home}
    return start(command, stdin=subprocess.PIPE, env=environment)


def say(client, lines):
    for line in lines:
        client.stdin.write(line + "\n")
        client.stdin.flush()


def measure(program, speaker, address, nick, lines, length, home):
    reader = join(program, address, nick, home)
    wait_for(speaker, lambda line: f"* {nick} joined " in line)
    # It enters a room by the time that others see it; and what it does then is done.
    time.sleep(2)
    reader.send_signal(signal.SIGSTOP)
    texts = [f"{number} of {nick} " for number in range(lines)]
    last = texts[-1]
    # Beside: a program whose output nobody reads takes no more input.
    speaking = threading.Thread(target=say, args=(speaker, [text.ljust(length, "x") for text in texts]))
    speaking.start()
    wait_for(speaker, lambda line: f"> {last}" in line)
    speaking.join()
    begun = time.monotonic()
    reader.send_signal(signal.SIGCONT)
    wait_for(reader, lambda line: f"> {last}" in line)
    took = time.monotonic() - begun
    reader.stdin.close()
    reader.wait()
    return took


def serve(program, home):
    unlimited = ["--max-bytes", "0", "--max-blocks", "0", "--joins-per-minute", "1000"]
    command = [program, "serve", "--bind", "127.0.0.1", "--port", "0", *unlimited]
    relay = start(command, stderr=subprocess.DEVNULL)
    words = relay.stdout.readline().split()
    address = next(word for word in words if word.startswith("127.0.0.1:"))
    speaker = join(program, address, "speaker", home)
    wait_for(speaker, lambda line: "* nobody else is here" in line)
    return relay, address, speaker


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--lines", type=int, default=1000)
    arguments.add_argument("--bytes", type=int, default=40)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--against", metavar="COMMIT")
    arguments.add_argument("--folder", type=pathlib.Path)
    arguments.add_argument("programs", nargs="*", metavar="PROGRAM")
    given = arguments.parse_args()
    programs = given.programs
    if given.against:
        if given.folder is None:
            arguments.error("--against takes a --folder to build in")
        programs = build_both(given.against, given.folder.resolve()) + programs
    if not programs:
        arguments.error("there is nothing to measure: name a PROGRAM, or use --against")
    times = {program: [] for program in programs}
    with tempfile.TemporaryDirectory() as home:
        sites = [serve(program, home) for program in programs]
        for number in range(given.rounds):
            for program, (relay, address, speaker) in zip(programs, sites):
                nick = f"reader-{number}"
                took = measure(program, speaker, address, nick, given.lines, given.bytes, home)
                times[program].append(took)
        for relay, _, speaker in sites:
            speaker.kill()
            relay.kill()
    for program, all_times in times.items():
        median = statistics.median(all_times)
        print(f"{median:6.3f} s, from {min(all_times):.3f} to {max(all_times):.3f}: {program}")


main()
