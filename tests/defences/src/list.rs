//! The defences, and which test names each.

use serde::Deserialize;

const LIST: &str = include_str!("../defences.toml");

/// What keeps something from going wrong, and how it is taken out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Defence {
    /// What holds as long as it is there.
    pub(crate) name: String,
    /// Where it stands, from the root of the project.
    pub(crate) file: String,
    /// The text that is the defence; it stands there once.
    pub(crate) old: String,
    /// What stands there without it.
    pub(crate) new: String,
    /// The test that must fail then: package, target and name.
    pub(crate) test: Test,
}

/// `package target name`, as in `abide security tokens::…`; the target `lib` is the package's unit tests.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Test {
    pub(crate) package: String,
    pub(crate) target: String,
    pub(crate) name: String,
}

impl TryFrom<String> for Test {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split_whitespace().collect::<Vec<_>>()[..] {
            [package, target, name] => {
                Ok(Self { package: package.into(), target: target.into(), name: name.into() })
            }
            _ => Err(format!("`{text}` is not `package target name`")),
        }
    }
}

impl Defence {
    /// Whether its name contains one of the words; no words mean all.
    pub(crate) fn is_meant_by(&self, words: &[String]) -> bool {
        words.is_empty() || words.iter().any(|word| self.name.contains(word.as_str()))
    }

    /// The text of its file without it; `None` where the defence does not stand there just once.
    pub(crate) fn taken_out_of(&self, text: &str) -> Option<String> {
        (text.matches(&self.old).count() == 1).then(|| text.replacen(&self.old, &self.new, 1))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    defence: Vec<Defence>,
}

/// All of them.
pub(crate) fn all() -> Vec<Defence> {
    toml::from_str::<List>(LIST).expect("the list is tested").defence
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::tree::root;

    #[test]
    fn every_defence_stands_once_where_the_list_says() {
        for defence in all() {
            let text = std::fs::read_to_string(root().join(&defence.file)).unwrap_or_default();
            assert!(defence.taken_out_of(&text).is_some(), "{}: not once in {}", defence.name, defence.file);
        }
    }

    #[test]
    fn no_defence_is_listed_twice() {
        let names: BTreeSet<_> = all().into_iter().map(|defence| defence.name).collect();
        assert_eq!(names.len(), all().len());
    }

    /// Every source text below a folder, with all that it holds.
    fn sources(folder: &Path, into: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() && !path.ends_with("target") {
                sources(&path, into);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                into.push_str(&std::fs::read_to_string(&path).unwrap());
            }
        }
    }

    #[test]
    fn every_test_that_the_list_names_exists() {
        let mut text = String::new();
        for folder in ["src", "backends", "tests"] {
            sources(&root().join(folder), &mut text);
        }
        for defence in all() {
            let name = defence.test.name.rsplit("::").next().unwrap();
            // A test written out, or the name that a macro makes one of.
            let exists = text.contains(&format!("fn {name}(")) || text.contains(&format!("{name}:"));
            assert!(exists, "{}: there is no test {name}", defence.name);
        }
    }
}
