//! What the modules of the program import, by their `use` lines.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

type Module = Vec<String>;

/// Which modules each module imports from. What only tests need does not count.
pub struct Imports(BTreeMap<Module, BTreeSet<Module>>);

impl Imports {
    /// Those of the program.
    pub fn of_the_program() -> Self {
        let mut sources = BTreeMap::new();
        read(
            Path::new(env!("CARGO_MANIFEST_DIR")).join("src").as_path(),
            &[],
            &mut sources,
        );
        let modules: BTreeSet<Module> = sources.keys().cloned().collect();
        let imports = sources.iter().map(|(module, source)| {
            let paths = uses(source).flat_map(|path| expand(&path));
            let found = paths.filter_map(|path| resolve(module, &path, &modules));
            (module.clone(), found.filter(|it| it != module).collect())
        });
        Self(imports.collect())
    }

    /// Imports from a higher floor: the floors are `cmd`, `room` and `cipher`.
    pub fn upward(&self) -> Vec<String> {
        let floor = |module: &Module| {
            let floors = ["cipher", "room", "cmd"];
            floors
                .iter()
                .position(|it| module.first().is_some_and(|first| first == it))
        };
        let all = self
            .0
            .iter()
            .flat_map(|(one, others)| others.iter().map(move |it| (one, it)));
        all.filter(|(one, other)| floor(one).is_some() && floor(one) < floor(other))
            .map(|(one, other)| format!("{} imports {}", one.join("::"), other.join("::")))
            .collect()
    }

    /// Modules that import themselves by way of others; and folders that do, where what is in a folder counts
    /// as the folder's for what is beside it.
    pub fn circular(&self) -> Vec<String> {
        let mut folders = BTreeMap::<_, BTreeSet<_>>::new();
        for (one, others) in &self.0 {
            for other in others {
                let common = one.iter().zip(other).take_while(|(a, b)| a == b).count();
                if let (Some(one), Some(other)) = (one.get(..=common), other.get(..=common)) {
                    let imported = folders.entry(one.to_vec()).or_default();
                    imported.insert(other.to_vec());
                }
            }
        }
        let mut circular = reaching_themselves(&self.0);
        circular.append(&mut reaching_themselves(&folders));
        circular.iter().map(|module| module.join("::")).collect()
    }
}

/// Those from which a way leads back to themselves.
fn reaching_themselves(imports: &BTreeMap<Module, BTreeSet<Module>>) -> BTreeSet<Module> {
    let next = |module: &Module| imports.get(module).into_iter().flatten();
    let reaches_itself = |start: &&Module| {
        let (mut seen, mut rest) = (BTreeSet::new(), next(start).collect::<Vec<_>>());
        while let Some(module) = rest.pop() {
            if seen.insert(module) {
                rest.extend(next(module));
            }
        }
        seen.contains(start)
    };
    imports.keys().filter(reaches_itself).cloned().collect()
}

/// Reads all sources in a folder, which is this module.
fn read(folder: &Path, module: &[String], sources: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let mut inner = module.to_vec();
        if !matches!(name.as_str(), "mod" | "lib") {
            inner.push(name.clone());
        }
        if path.is_dir() && name != "tests" {
            read(&path, &inner, sources);
        } else if path.is_file() && name != "main" {
            let source = fs::read_to_string(&path).expect("a source");
            let (code, _) = source
                .split_once("#[cfg(test)]\nmod tests")
                .unwrap_or((&source, ""));
            sources.insert(inner, code.to_owned());
        }
    }
}

/// The paths behind `use`, without blanks.
fn uses(source: &str) -> impl Iterator<Item = String> {
    let parts = source.split('\n').map(str::trim_start);
    let text: String = parts.collect::<Vec<_>>().join("\n");
    let begins: Vec<String> = text
        .split("use ")
        .skip(1)
        .filter_map(|rest| rest.split_once(';'))
        .map(|(path, _)| path.chars().filter(|c| !c.is_whitespace()).collect())
        .collect();
    begins.into_iter().filter(|path: &String| {
        ["crate::", "self::", "super::"]
            .iter()
            .any(|it| path.starts_with(it))
    })
}

/// `a::{b,c::{d,e}}` as `a::b`, `a::c::d` and `a::c::e`.
fn expand(path: &str) -> Vec<String> {
    let Some((begin, rest)) = path.split_once('{') else {
        return vec![path.to_owned()];
    };
    let inner = rest.strip_suffix('}').unwrap_or(rest);
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for sign in inner.chars() {
        match sign {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if sign == ',' && depth == 0 {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(sign);
        }
    }
    let parts = parts.iter().filter(|part| !part.is_empty());
    parts
        .flat_map(|part| expand(&format!("{begin}{part}")))
        .collect()
}

/// The module that a path leads into.
fn resolve(from: &Module, path: &str, modules: &BTreeSet<Module>) -> Option<Module> {
    let mut module = Vec::new();
    for (place, part) in path.split("::").enumerate() {
        match part {
            "crate" => {}
            "self" if place == 0 => module.clone_from(from),
            "super" => {
                if place == 0 {
                    module.clone_from(from);
                }
                module.pop();
            }
            part => module.push(part.to_owned()),
        }
    }
    while !modules.contains(&module) {
        module.pop()?;
    }
    Some(module)
}
