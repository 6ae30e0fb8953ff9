//! As much of Markdown as the documents use: blocks of code, code within a line, links, headings.

use std::fs;
use std::path::Path;

/// Where a line is.
#[derive(PartialEq)]
enum Place {
    Text,
    /// Behind an empty line, so that what is indented is a block.
    Gap,
    Indented,
    /// Behind a fence that is itself indented by so many spaces, as it is in a list.
    Fenced(usize),
}

/// A document, taken apart.
pub struct Document {
    /// Its path in the repository.
    pub name: String,
    pub blocks: Vec<Block>,
    /// All that is not in a block.
    prose: Vec<String>,
}

/// A block of code, or of what stands on a screen.
pub struct Block {
    /// What stands behind the fence. An indented block has none.
    pub language: String,
    pub lines: Vec<String>,
}

impl Document {
    #[track_caller]
    pub fn read(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        Self::parse(name, &text)
    }

    fn parse(name: &str, text: &str) -> Self {
        let (mut blocks, mut prose): (Vec<Block>, Vec<String>) = (Vec::new(), Vec::new());
        let mut place = Place::Gap;
        let block = |language: &str| Block {
            language: language.to_owned(),
            lines: Vec::new(),
        };
        for line in text.lines() {
            let unindented = line.trim_start();
            let fence = unindented.strip_prefix("```");
            place = match (place, fence, line.strip_prefix("    ")) {
                (Place::Fenced(_), Some(_), _) => Place::Text,
                (Place::Fenced(indent), None, _) => {
                    let row = line.get(indent..).unwrap_or_default();
                    blocks.last_mut().unwrap().lines.push(row.to_owned());
                    Place::Fenced(indent)
                }
                (_, Some(language), _) => {
                    blocks.push(block(language));
                    Place::Fenced(line.len() - unindented.len())
                }
                (begun @ (Place::Gap | Place::Indented), None, Some(code)) => {
                    if begun == Place::Gap {
                        blocks.push(block(""));
                    }
                    blocks.last_mut().unwrap().lines.push(code.to_owned());
                    Place::Indented
                }
                _ => {
                    prose.push(line.to_owned());
                    if line.is_empty() {
                        Place::Gap
                    } else {
                        Place::Text
                    }
                }
            };
        }
        let is_closed = !matches!(place, Place::Fenced(_));
        assert!(is_closed, "{name}: a fence is not closed");
        Self {
            name: name.to_owned(),
            blocks,
            prose,
        }
    }

    /// What stands in backticks within the text.
    pub fn codes(&self) -> Vec<String> {
        let text = self.prose.join(" ");
        let parts: Vec<&str> = text.split('`').collect();
        assert!(parts.len() % 2 == 1, "{}: an odd backtick", self.name);
        parts
            .into_iter()
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    }

    /// Where its links lead.
    pub fn links(&self) -> Vec<String> {
        let text = self.prose.join(" ");
        let forms = [("](", ')'), ("src=\"", '"'), ("srcset=\"", '"')];
        let targets = forms.iter().flat_map(|(begin, end)| {
            let rest = text.split(begin).skip(1);
            rest.filter_map(|rest| Some(rest.split_once(*end)?.0.to_owned()))
        });
        targets.collect()
    }

    /// Its headings, as they stand in a link.
    pub fn anchors(&self) -> Vec<String> {
        let headings = self.prose.iter().filter(|line| line.starts_with('#'));
        headings
            .map(|line| {
                let text = line.trim_start_matches('#').trim().to_lowercase();
                text.chars()
                    .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                    .map(|c| if c == ' ' { '-' } else { c })
                    .collect()
            })
            .collect()
    }
}
