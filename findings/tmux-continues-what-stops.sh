#!/usr/bin/env bash
# tmux continues the program of a pane at once when something stops it, and leaves the program's children stopped.
#
# One would guess that SIGSTOP stops a program until somebody sends SIGCONT, in whatever terminal it runs: no program can
# refuse that signal.
# What happens: tmux 3.3a is the parent of the program that a pane was opened for, is told that it stopped, and sends SIGCONT
# to its process group. A program that was stopped on purpose runs on after a moment. A child of that program in a process
# group of its own, as a shell makes for a job, is no child of tmux's, and stays stopped.
# Why it matters: whoever tries in tmux what a program does when the machine sleeps tries nothing, and does not notice. Where
# the same program was typed at a shell in the pane, it does stop.
set -euo pipefail
source "$(dirname "$0")/lib/prologue.sh"
needs tmux
tmux -V
[[ $(tmux -V) == 'tmux 3.3a' ]] || echo 'it was found with tmux 3.3a'
tmux() { command tmux -S "$folder/socket" -f /dev/null "$@"; }

# Whether a process is stopped a second after it was told to stop.
stops() {
    kill -STOP "$1"
    sleep 1
    case $(ps -o stat= -p "$1") in
        T*) echo stopped ;;
        *) echo 'runs on' ;;
    esac
}
tmux new-session -d 'exec sleep 60'
own=$(tmux list-panes -F '#{pane_pid}')
tmux new-window 'set -m; sleep 60 & echo $! > job; sleep 60'
until [[ -s job ]]; do sleep 0.1; done
sleep 60 &
outside=$!
check 'the program of a pane' "$(stops "$own")" 'runs on'
check 'a job of a shell in a pane' "$(stops "$(cat job)")" 'stopped'
check 'a program outside tmux' "$(stops "$outside")" 'stopped'
{ kill -KILL "$outside" "$(cat job)" && wait "$outside"; } 2> /dev/null || true
tmux kill-server
exit "$same"
