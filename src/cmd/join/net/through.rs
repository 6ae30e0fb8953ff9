//! A program whose input and output are the connection to the relay, as `ProxyCommand` of OpenSSH.
//!
//! Its text is split into words once, as a shell would, and no shell sees it: what a host's name contains, which
//! may come from an invite, stays within its word. Input and output are one end of a pair of sockets, so the
//! client has at the other end what it has of a relay: a socket with its deadlines.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use crate::cmd::command_words::split;

use crate::cmd::address::Address;

/// What is said of other `%` signs.
const PERCENT: &str =
    "of the signs `%` there are %h for the host, %p for the port, and %% for the sign itself";

/// The program and its words, in which `%h` stands for the relay's host and `%p` for its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cmd) struct Program {
    /// As it was given.
    text: String,
    name: Template,
    arguments: Vec<Template>,
}

/// A word in which host and port may have to be put in.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Host,
    Port,
}

impl Template {
    fn read(word: &str) -> Result<Self, &'static str> {
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut signs = word.chars();
        while let Some(sign) = signs.next() {
            let piece = if sign == '%' {
                match signs.next() {
                    Some('h') => Some(Piece::Host),
                    Some('p') => Some(Piece::Port),
                    Some('%') => None,
                    _ => return Err(PERCENT),
                }
            } else {
                None
            };
            match piece {
                None => text.push(sign),
                Some(piece) => pieces.extend([Piece::Text(std::mem::take(&mut text)), piece]),
            }
        }
        pieces.push(Piece::Text(text));
        Ok(Self(pieces))
    }

    fn fill(&self, relay: &Address) -> String {
        let fill = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Host => relay.host().to_owned(),
            Piece::Port => relay.port().to_string(),
        };
        self.0.iter().map(fill).collect()
    }
}

impl FromStr for Program {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if cfg!(not(unix)) {
            return Err("on this system no program can be the connection");
        }
        let (name, arguments) = split(text)?;
        let arguments = arguments.iter().map(|word| Template::read(word));
        Ok(Self {
            text: text.to_owned(),
            name: Template::read(&name)?,
            arguments: arguments.collect::<Result<_, _>>()?,
        })
    }
}

impl Program {
    /// The words for this relay: the program, and its arguments.
    pub(super) fn words(&self, relay: &Address) -> (String, Vec<String>) {
        let arguments = self.arguments.iter().map(|word| word.fill(relay));
        (self.name.fill(relay), arguments.collect())
    }
}

impl Display for Program {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
