# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_e2echat_global_optspecs
    string join \n h/help V/version
end

function __fish_e2echat_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_e2echat_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_e2echat_using_subcommand
    set -l cmd (__fish_e2echat_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c e2echat -n "__fish_e2echat_needs_command" -s h -l help -d 'Print help'
complete -c e2echat -n "__fish_e2echat_needs_command" -s V -l version -d 'Print version'
complete -c e2echat -n "__fish_e2echat_needs_command" -f -a "serve" -d 'Run the relay that connects the members of rooms; it can read nothing of what they say'
complete -c e2echat -n "__fish_e2echat_needs_command" -f -a "join" -d 'Enter a room and talk'
complete -c e2echat -n "__fish_e2echat_needs_command" -f -a "keygen" -d 'Make and save the identity that friends know you by'
complete -c e2echat -n "__fish_e2echat_needs_command" -f -a "config" -d 'Show the settings that hold, and where each comes from'
complete -c e2echat -n "__fish_e2echat_needs_command" -f -a "rooms" -d 'List the rooms that you have saved, or forget one'
complete -c e2echat -n "__fish_e2echat_needs_command" -f -a "people" -d 'List the people whom you know, or move, merge or forget them'
complete -c e2echat -n "__fish_e2echat_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l port -d 'Port to listen on; 0 takes a free one' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l bind -d 'Address to listen on, IPv4 or IPv6, or unix:PATH for a socket in the file system; may be given more than once [default: all addresses]' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l nick -d 'Sit in a room of this relay yourself, under this name' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l stats -d 'Log a line of figures every so many seconds' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l room -d 'The room, which everybody can enter who knows or guesses its name [default: lobby]' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l identity -d 'File with your identity [default: what `e2echat keygen` saved, or one for this run only]' -r -F
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l only-known -d 'Write only to people whom you know: you met them in this room before, without this option, or have accepted, verified or noted them in any; the others see that they are left out' -r -f -a "true\t''
false\t''"
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l only-verified -d 'Write only to people whom you have verified with /verify or /code; the others see that they are left out' -r -f -a "true\t''
false\t''"
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l no-share -d 'Ask others not to hand on what you say; honest programs obey, as they also do with --only-known and --only-verified' -r -f -a "true\t''
false\t''"
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l catchup -d 'Whom the program by itself hands what they missed, where they ask for it with /catchup: nobody, or those whom you have verified' -r -f -a "off\t''
verified\t''"
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l bits -d 'Length of the session key, with which others encrypt to you' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l rekey -d 'Minutes after which a new session key takes the place of the old one' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l reconnect -d 'Seconds for which to try to get a broken connection back [default: without end on a terminal, 300 without one]' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l log -d 'Append all that is shown to this file, which only you can read' -r -F
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set and not empty'
always\t'Always'
never\t'Never'"
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l theme -d 'Which colours: those for a dark or for a light background [default: what the terminal says of itself, or dark]' -r -f -a "dark\t'For a dark background'
light\t'For a light background'"
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l timestamp -d 'Whether messages and what the program says are shown with their time' -r -f -a "on\t''
off\t''"
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l prompt -d 'What stands before what you type: whether you are connected, and how many of your messages wait to be confirmed; or nothing of that' -r -f -a "state\t'The state field, and then the sign'
plain\t'The sign alone'"
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l notify -d 'How to tell you of what is said while you look elsewhere: by the bell, by a notification of the terminal (desktop takes the kind that it knows), by a command, or not at all; `mentions` and `all` are the bell, for these' -r -f -a "off\t'Not at all'
mentions\t'The bell, for what names the user, or is said to the user alone'
all\t'The bell, for everything'
bell\t'The bell'
osc9\t'A notification of iTerm2\'s kind'
osc777\t'A notification of rxvt-unicode\'s kind'
osc99\t'A notification of kitty\'s kind'
desktop\t'A notification of the kind that the terminal knows, else the bell'
command\t'A command'"
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l notify-for -d 'Of what to tell you then: when you are named or written to, of everything, or of nothing' -r -f -a "mentions\t'Of what names the user, or is said to the user alone'
all\t'Of everything'
off\t'Of nothing'"
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l notify-text -d 'Have the text of the message in notifications, which others may see, and not only nick and room' -r -f -a "true\t''
false\t''"
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l notify-command -d 'The command of `--notify command`: a program and its arguments, run without a shell; it finds what there is to tell in variables, as `E2ECHAT_NOTIFY_NICK`' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l plain -d 'Write each line once and draw nothing again, without colour, for those who hear the screen; what comes while you type waits until Enter, 20 seconds at most' -r -f -a "true\t''
false\t''"
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l max-connections -d 'The most connections at once' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l max-members -d 'The most members in a room' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l max-queue -d 'The most bytes that wait for a member that does not read, or has no connection; then it is dropped' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l handshake-timeout -d 'Seconds that entering a room may take' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l idle-timeout -d 'Seconds after which a connection on which nothing comes is taken for dead' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l grace -d 'The most seconds for which the place of a member is kept whose connection broke, up to 12 hours. It is kept for as long as the member was there before, and for a minute at least' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l max-per-address -d 'The most connections at once from one address (of IPv6, one /64); places that are kept for broken ones count, and give way to newcomers from there' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l joins-per-minute -d 'The most joins a minute from one address' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l max-per-identity -d 'The most places of one identity in a room' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l max-blocks -d 'The most 256-byte blocks a second that a member may send; 0: no limit' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l max-bytes -d 'The most bytes a second that a member may send; 0: no limit' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l max-memory -d 'The most bytes that are kept for all members together: what waits for them, messages whose end has not come, and kept places [default: a quarter of what the machine has free at the start]' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l allow -d 'Let in only the identities in this file, one SHA256:... fingerprint a line' -r -F
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l writers -d 'How many threads write, for measuring [default: as many as there is something to write for]' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -s v -l verbose -d 'Log who joins, leaves and is refused to standard error; -vv logs broken connections too'
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l new-room -d 'Make a room with a name that nobody can guess, and show the invite to it'
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -l no-config -d 'Do without the settings file'
complete -c e2echat -n "__fish_e2echat_using_subcommand serve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c e2echat -n "__fish_e2echat_using_subcommand join" -l relay -d 'The relay, where neither HOST nor an invite names it' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand join" -l nick -d 'What you are called in the room: 1 to 24 letters, digits and any of `_-.`' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand join" -l proxy -d 'Connect through this SOCKS5 proxy, such as Tor\'s, which looks up the relay\'s name; the port is 1080 if none is given' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand join" -l through -d 'Connect through this program, whose input and output become the connection, such as \'ssh -W %h:%p server.example\'; no shell reads it, and %h and %p are the relay\'s host and port' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand join" -l save -d 'Save the room under this name, once you are in it: `e2echat join NAME` enters it then' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand join" -l room -d 'The room, which everybody can enter who knows or guesses its name [default: lobby]' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand join" -l identity -d 'File with your identity [default: what `e2echat keygen` saved, or one for this run only]' -r -F
complete -c e2echat -n "__fish_e2echat_using_subcommand join" -l only-known -d 'Write only to people whom you know: you met them in this room before, without this option, or have accepted, verified or noted them in any; the others see that they are left out' -r -f -a "true\t''
false\t''"
complete -c e2echat -n "__fish_e2echat_using_subcommand join" -l only-verified -d 'Write only to people whom you have verified with /verify or /code; the others see that they are left out' -r -f -a "true\t''
false\t''"
complete -c e2echat -n "__fish_e2echat_using_subcommand join" -l no-share -d 'Ask others not to hand on what you say; honest programs obey, as they also do with --only-known and --only-verified' -r -f -a "true\t''
false\t''"
complete -c e2echat -n "__fish_e2echat_using_subcommand join" -l catchup -d 'Whom the program by itself hands what they missed, where they ask for it with /catchup: nobody, or those whom you have verified' -r -f -a "off\t''
verified\t''"
complete -c e2echat -n "__fish_e2echat_using_subcommand join" -l bits -d 'Length of the session key, with which others encrypt to you' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand join" -l rekey -d 'Minutes after which a new session key takes the place of the old one' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand join" -l reconnect -d 'Seconds for which to try to get a broken connection back [default: without end on a terminal, 300 without one]' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand join" -l log -d 'Append all that is shown to this file, which only you can read' -r -F
complete -c e2echat -n "__fish_e2echat_using_subcommand join" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set and not empty'
always\t'Always'
never\t'Never'"
complete -c e2echat -n "__fish_e2echat_using_subcommand join" -l theme -d 'Which colours: those for a dark or for a light background [default: what the terminal says of itself, or dark]' -r -f -a "dark\t'For a dark background'
light\t'For a light background'"
complete -c e2echat -n "__fish_e2echat_using_subcommand join" -l timestamp -d 'Whether messages and what the program says are shown with their time' -r -f -a "on\t''
off\t''"
complete -c e2echat -n "__fish_e2echat_using_subcommand join" -l prompt -d 'What stands before what you type: whether you are connected, and how many of your messages wait to be confirmed; or nothing of that' -r -f -a "state\t'The state field, and then the sign'
plain\t'The sign alone'"
complete -c e2echat -n "__fish_e2echat_using_subcommand join" -l notify -d 'How to tell you of what is said while you look elsewhere: by the bell, by a notification of the terminal (desktop takes the kind that it knows), by a command, or not at all; `mentions` and `all` are the bell, for these' -r -f -a "off\t'Not at all'
mentions\t'The bell, for what names the user, or is said to the user alone'
all\t'The bell, for everything'
bell\t'The bell'
osc9\t'A notification of iTerm2\'s kind'
osc777\t'A notification of rxvt-unicode\'s kind'
osc99\t'A notification of kitty\'s kind'
desktop\t'A notification of the kind that the terminal knows, else the bell'
command\t'A command'"
complete -c e2echat -n "__fish_e2echat_using_subcommand join" -l notify-for -d 'Of what to tell you then: when you are named or written to, of everything, or of nothing' -r -f -a "mentions\t'Of what names the user, or is said to the user alone'
all\t'Of everything'
off\t'Of nothing'"
complete -c e2echat -n "__fish_e2echat_using_subcommand join" -l notify-text -d 'Have the text of the message in notifications, which others may see, and not only nick and room' -r -f -a "true\t''
false\t''"
complete -c e2echat -n "__fish_e2echat_using_subcommand join" -l notify-command -d 'The command of `--notify command`: a program and its arguments, run without a shell; it finds what there is to tell in variables, as `E2ECHAT_NOTIFY_NICK`' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand join" -l plain -d 'Write each line once and draw nothing again, without colour, for those who hear the screen; what comes while you type waits until Enter, 20 seconds at most' -r -f -a "true\t''
false\t''"
complete -c e2echat -n "__fish_e2echat_using_subcommand join" -l json -d 'Speak JSON, one object a line, on standard input and output: see docs/JSON.md'
complete -c e2echat -n "__fish_e2echat_using_subcommand join" -l new-room -d 'Make a room with a name that nobody can guess, and show the invite to it'
complete -c e2echat -n "__fish_e2echat_using_subcommand join" -l no-config -d 'Do without the settings file'
complete -c e2echat -n "__fish_e2echat_using_subcommand join" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c e2echat -n "__fish_e2echat_using_subcommand keygen" -s o -l output -d 'File to save it in [default: identity.pem in this user\'s settings folder]' -r -F
complete -c e2echat -n "__fish_e2echat_using_subcommand keygen" -l bits -d 'Length of the key' -r
complete -c e2echat -n "__fish_e2echat_using_subcommand keygen" -s p -l passphrase -d 'Protect the file with a passphrase'
complete -c e2echat -n "__fish_e2echat_using_subcommand keygen" -l force -d 'Replace the identity that is there; it is gone then'
complete -c e2echat -n "__fish_e2echat_using_subcommand keygen" -l show -d 'Make nothing; show the fingerprint of what is saved'
complete -c e2echat -n "__fish_e2echat_using_subcommand keygen" -s h -l help -d 'Print help'
complete -c e2echat -n "__fish_e2echat_using_subcommand config" -l init -d 'Make the settings file, with a commented example in it'
complete -c e2echat -n "__fish_e2echat_using_subcommand config" -l example -d 'Show that example'
complete -c e2echat -n "__fish_e2echat_using_subcommand config" -s h -l help -d 'Print help'
complete -c e2echat -n "__fish_e2echat_using_subcommand rooms; and not __fish_seen_subcommand_from forget help" -l show-invite -d 'Show the invites too; whoever has an invite can enter'
complete -c e2echat -n "__fish_e2echat_using_subcommand rooms; and not __fish_seen_subcommand_from forget help" -s h -l help -d 'Print help'
complete -c e2echat -n "__fish_e2echat_using_subcommand rooms; and not __fish_seen_subcommand_from forget help" -f -a "forget" -d 'Forget a saved room; its invite is gone then'
complete -c e2echat -n "__fish_e2echat_using_subcommand rooms; and not __fish_seen_subcommand_from forget help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c e2echat -n "__fish_e2echat_using_subcommand rooms; and __fish_seen_subcommand_from forget" -s h -l help -d 'Print help'
complete -c e2echat -n "__fish_e2echat_using_subcommand rooms; and __fish_seen_subcommand_from help" -f -a "forget" -d 'Forget a saved room; its invite is gone then'
complete -c e2echat -n "__fish_e2echat_using_subcommand rooms; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c e2echat -n "__fish_e2echat_using_subcommand people; and not __fish_seen_subcommand_from export import forget help" -s h -l help -d 'Print help'
complete -c e2echat -n "__fish_e2echat_using_subcommand people; and not __fish_seen_subcommand_from export import forget help" -f -a "export" -d 'Write them into a new file that only you can read; it tells whom you know'
complete -c e2echat -n "__fish_e2echat_using_subcommand people; and not __fish_seen_subcommand_from export import forget help" -f -a "import" -d 'Take over what an export of another machine of yours knows; it asks for each person who would change'
complete -c e2echat -n "__fish_e2echat_using_subcommand people; and not __fish_seen_subcommand_from export import forget help" -f -a "forget" -d 'Forget somebody: the next time, they are new to you'
complete -c e2echat -n "__fish_e2echat_using_subcommand people; and not __fish_seen_subcommand_from export import forget help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c e2echat -n "__fish_e2echat_using_subcommand people; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help'
complete -c e2echat -n "__fish_e2echat_using_subcommand people; and __fish_seen_subcommand_from import" -s h -l help -d 'Print help'
complete -c e2echat -n "__fish_e2echat_using_subcommand people; and __fish_seen_subcommand_from forget" -s h -l help -d 'Print help'
complete -c e2echat -n "__fish_e2echat_using_subcommand people; and __fish_seen_subcommand_from help" -f -a "export" -d 'Write them into a new file that only you can read; it tells whom you know'
complete -c e2echat -n "__fish_e2echat_using_subcommand people; and __fish_seen_subcommand_from help" -f -a "import" -d 'Take over what an export of another machine of yours knows; it asks for each person who would change'
complete -c e2echat -n "__fish_e2echat_using_subcommand people; and __fish_seen_subcommand_from help" -f -a "forget" -d 'Forget somebody: the next time, they are new to you'
complete -c e2echat -n "__fish_e2echat_using_subcommand people; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c e2echat -n "__fish_e2echat_using_subcommand help; and not __fish_seen_subcommand_from serve join keygen config rooms people help" -f -a "serve" -d 'Run the relay that connects the members of rooms; it can read nothing of what they say'
complete -c e2echat -n "__fish_e2echat_using_subcommand help; and not __fish_seen_subcommand_from serve join keygen config rooms people help" -f -a "join" -d 'Enter a room and talk'
complete -c e2echat -n "__fish_e2echat_using_subcommand help; and not __fish_seen_subcommand_from serve join keygen config rooms people help" -f -a "keygen" -d 'Make and save the identity that friends know you by'
complete -c e2echat -n "__fish_e2echat_using_subcommand help; and not __fish_seen_subcommand_from serve join keygen config rooms people help" -f -a "config" -d 'Show the settings that hold, and where each comes from'
complete -c e2echat -n "__fish_e2echat_using_subcommand help; and not __fish_seen_subcommand_from serve join keygen config rooms people help" -f -a "rooms" -d 'List the rooms that you have saved, or forget one'
complete -c e2echat -n "__fish_e2echat_using_subcommand help; and not __fish_seen_subcommand_from serve join keygen config rooms people help" -f -a "people" -d 'List the people whom you know, or move, merge or forget them'
complete -c e2echat -n "__fish_e2echat_using_subcommand help; and not __fish_seen_subcommand_from serve join keygen config rooms people help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c e2echat -n "__fish_e2echat_using_subcommand help; and __fish_seen_subcommand_from rooms" -f -a "forget" -d 'Forget a saved room; its invite is gone then'
complete -c e2echat -n "__fish_e2echat_using_subcommand help; and __fish_seen_subcommand_from people" -f -a "export" -d 'Write them into a new file that only you can read; it tells whom you know'
complete -c e2echat -n "__fish_e2echat_using_subcommand help; and __fish_seen_subcommand_from people" -f -a "import" -d 'Take over what an export of another machine of yours knows; it asks for each person who would change'
complete -c e2echat -n "__fish_e2echat_using_subcommand help; and __fish_seen_subcommand_from people" -f -a "forget" -d 'Forget somebody: the next time, they are new to you'
complete -c e2echat -n "__fish_e2echat_using_subcommand join" -f -a "(e2echat rooms 2>/dev/null | cut -d ' ' -f 1)"
complete -c e2echat -n "__fish_e2echat_using_subcommand config" -f -a "(e2echat rooms 2>/dev/null | cut -d ' ' -f 1)"
complete -c e2echat -n "__fish_e2echat_using_subcommand rooms; and __fish_seen_subcommand_from forget" -f -a "(e2echat rooms 2>/dev/null | cut -d ' ' -f 1)"
