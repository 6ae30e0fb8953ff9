# Sourced by every script of findings/: a folder of its own for it to run in, and how it says what it sees.
# shellcheck shell=bash
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# Ends the script where one of these tools is missing, and says which package of Debian has it.
needs() {
    local tool package
    for tool in "$@"; do
        case $tool in
            certtool) package=gnutls-bin ;;
            java) package=default-jdk-headless ;;
            node) package=nodejs ;;
            puttygen) package=putty-tools ;;
            python3) package=python3-venv ;;
            ssh-keygen) package=openssh-client ;;
            *) package=$tool ;;
        esac
        command -v "$tool" > /dev/null || { echo "needs $tool (Debian: $package)"; exit 77; }
    done
}

# Says what was seen and whether it is what was found; the script ends with `exit "$same"`.
same=0
check() {
    echo "$1: $2"
    [[ $2 == "$3" ]] || { echo "  it was: $3"; same=1; }
}
