//! The copy of the checkout that is broken and mended.

use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::list::{Defence, Test};

/// The root of the project.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("the package lies two folders below it")
        .into()
}

/// What came of taking a defence out.
pub(crate) enum Outcome {
    /// The test failed that names it.
    Noticed,
    /// That test passed.
    Unnoticed,
    /// The code does not compile without it, or the test did not run: nothing was shown.
    NotRun(String),
}

impl Outcome {
    pub(crate) fn shown(&self, defence: &Defence) -> String {
        match self {
            Self::Noticed => defence.test.name.clone(),
            Self::Unnoticed => format!("**nothing**: {} passed", defence.test.name),
            Self::NotRun(why) => format!("**not run**: {why}"),
        }
    }
}

pub(crate) struct Tree {
    folder: PathBuf,
    target: PathBuf,
}

impl Tree {
    /// Copies what git knows of the checkout, as it is now.
    pub(crate) fn copy() -> Result<Self> {
        let root = root();
        let here = root.join("target/defences");
        let tree = Self { folder: here.join("tree"), target: here.join("target") };
        if tree.folder.exists() {
            std::fs::remove_dir_all(&tree.folder)?;
        }
        let listed = Command::new("git")
            .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
            .current_dir(&root)
            .output()?;
        for file in String::from_utf8_lossy(&listed.stdout).split_terminator('\0') {
            let (from, to) = (root.join(file), tree.folder.join(file));
            if from.is_file() {
                std::fs::create_dir_all(to.parent().expect("a file lies in a folder"))?;
                std::fs::copy(from, to)?;
            }
        }
        Ok(tree)
    }

    /// Runs the test that names a defence without that defence, and puts it back.
    pub(crate) fn without(&self, defence: &Defence) -> Result<Outcome> {
        let path = self.folder.join(&defence.file);
        let whole = std::fs::read_to_string(&path)?;
        let Some(broken) = defence.taken_out_of(&whole) else {
            let why = format!("`{}` does not stand once in {}", defence.old.trim(), defence.file);
            return Err(Error::other(why));
        };
        std::fs::write(&path, broken)?;
        let output = self.run(&defence.test);
        std::fs::write(&path, whole)?;
        output.map(|output| judged(&output, &defence.test))
    }

    fn run(&self, test: &Test) -> Result<Output> {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["test", "--locked", "--all-features", "--package", &test.package]);
        match test.target.as_str() {
            "lib" => cargo.arg("--lib"),
            target => cargo.args(["--test", target]),
        };
        cargo
            .args(["--", "--exact", &test.name])
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", &self.target)
            // A file that changes and changes back within a second was seen to crash an incremental compiler.
            .env("CARGO_INCREMENTAL", "0")
            .env("CARGO_TERM_COLOR", "never")
            .output()
    }
}

fn judged(output: &Output, test: &Test) -> Outcome {
    let said = String::from_utf8_lossy(&output.stdout);
    let result = said.lines().find(|line| line.starts_with(&format!("test {}", test.name)));
    match result {
        Some(line) if line.ends_with("FAILED") => Outcome::Noticed,
        // What it prints itself may stand between its name and the result.
        _ if said.contains("test result: FAILED") => Outcome::Noticed,
        _ if said.contains("1 passed") => Outcome::Unnoticed,
        _ => {
            let said = String::from_utf8_lossy(&output.stderr);
            let why = said.lines().find(|line| line.starts_with("error")).unwrap_or("no such test");
            Outcome::NotRun(why.to_owned())
        }
    }
}
