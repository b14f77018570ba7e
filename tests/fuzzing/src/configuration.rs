//! Any text as a configuration file, as variables, and as the parts of a store's URL that holds a password.
//!
//! The answer is a configuration or an error of one line, and never a panic; and what stands where a password stands
//! is shown by no error, nor by `Debug`, wherever the URL came from and however badly it is written.

use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::fmt::Debug;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use abide::registry::{Opener, StoreParts, StoreUrl};
use abide::{Config, ConfigError, Registry};
use abide_core::SessionStore;
use abide_memory::MemoryStore;
use async_trait::async_trait;
use tokio::runtime::Builder;

use crate::at_once;

/// Part of every password here. No input holds it by chance.
const SECRET: &str = "k4rt0ff3ls4l4t";

/// A file, or lines of `NAME=value`, or lines that are parts of a URL: each input is taken for all of them.
pub fn configuration(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if text.contains(SECRET) {
        return;
    }
    is_clear(&Config::new().and_sources(Some(&text), []));
    is_clear(&Config::new().and_sources(None, variables(input)));
    let urls = urls(&text);
    urls.iter().for_each(|url| is_hidden_in_parts(url));
    // Files take their time: one of the URLs for each input, in one of many.
    let url = &urls[input.iter().map(|byte| usize::from(*byte)).sum::<usize>() % urls.len()];
    is_hidden_in_sources(url, &text);
    // A store on a network begins to connect in tasks of a runtime; nobody drives this one, so none of them runs.
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.unwrap_or_else(|error| panic!("no runtime: {error}"));
    let _entered = runtime.enter();
    let opened = Config::new().store(url).builder().registry(registry()).open();
    is_hidden(&at_once(opened).map(drop));
}

/// `NAME=value` by line; those that begin with a colon without our prefix.
fn variables(input: &[u8]) -> impl Iterator<Item = (OsString, OsString)> {
    input.split(|byte| *byte == b'\n').map(|line| {
        let at = line.iter().position(|byte| *byte == b'=').unwrap_or(line.len());
        let (name, value) = (&line[..at], line.get(at + 1..).unwrap_or_default());
        let name = match name.strip_prefix(b":") {
            Some(name) => name.to_vec(),
            None => [b"ABIDE_", name].concat(),
        };
        (OsStr::from_bytes(&name).into(), OsStr::from_bytes(value).into())
    })
}

/// URLs with a password, badly written ones among them.
fn urls(text: &str) -> [String; 4] {
    let mut lines = text.lines();
    let [a, b, c, d, e, f] = std::array::from_fn(|_| lines.next().unwrap_or_default());
    // An `&` ends the value of an option: what follows is no password any more.
    let [inner, outer] = [b, c].map(|part| part.replace('&', "%26"));
    [
        format!("mine://{a}:{b}{SECRET}{c}@{d}?{e}"),
        format!("{f}://{a}:{SECRET}@{d}?{e}"),
        format!("mine:{a}{SECRET}{c}@{d}"),
        format!("mine://{d}?{a}={inner}{SECRET}{outer}&{e}"),
    ]
}

fn is_hidden_in_parts(url: &str) {
    let parsed = StoreUrl::parse(url);
    is_hidden(&parsed);
    let Ok(mut parsed) = parsed else { return };
    let _ = (parsed.scheme().len(), parsed.rest().len(), parsed.take("prefix"), parsed.take("durability"));
    is_hidden(&parsed.finish());
}

fn is_hidden_in_sources(url: &str, text: &str) {
    let quoted = toml::Value::String(url.to_owned()).to_string();
    // What stands before must be whole lines, else it may make another setting of the URL.
    let before = if text.parse::<toml::Table>().is_ok() { text } else { "" };
    let files = [
        format!("{before}\nstore = {quoted}\n{text}"),
        format!("store = {quoted}"),
        format!("store = {url}"),
        format!("store = \"{url}"),
        format!("store = [{quoted}]"),
        format!("[store]\nurl = {quoted}"),
    ];
    is_hidden(&Config::new().and_sources(Some(&files[text.len() % files.len()]), []));
    is_hidden(&Config::new().and_sources(None, [("ABIDE_STORE".into(), url.into())]));
}

/// The answer, or an error that says something, in one line.
fn is_clear(answer: &Result<Config, ConfigError>) {
    let Err(error) = answer else { return };
    let message = error.to_string();
    assert!(!message.is_empty() && message.lines().count() == 1, "{message:?}");
}

/// Neither the answer nor the error shows the secret.
fn is_hidden<T: Debug>(answer: &Result<T, ConfigError>) {
    assert_hidden(&format!("{answer:?} {answer:#?}"));
    let mut error: Option<&dyn Error> = answer.as_ref().err().map(|error| error as _);
    while let Some(cause) = error {
        assert_hidden(&format!("{cause} {cause:?}"));
        error = cause.source();
    }
}

fn assert_hidden(shown: &str) {
    assert!(!shown.contains(SECRET), "{shown}");
}

/// Nothing here opens what a URL names: an input could name any file.
fn registry() -> Registry {
    Registry::default().with("mine", Inert).with("memory", Inert)
}

#[derive(Debug)]
struct Inert;

#[async_trait]
impl Opener for Inert {
    async fn open(&self, mut url: StoreUrl, _: &StoreParts) -> Result<Arc<dyn SessionStore>, ConfigError> {
        let _ = url.take("prefix");
        url.finish()?;
        Ok(Arc::new(MemoryStore::new()))
    }
}

/// Files, variables, and parts of URLs.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    [
        "store = \"memory:\"\nidle_timeout = \"30m\"\nabsolute_timeout = \"1h 30m\"\ncookie_name = \"id\"",
        "insecure_http = true\nsame_site = \"none\"\npartitioned = true\nmax_session_bytes = 65536",
        "[store]\nurl = 'memory:'\n\"cookie name\" = 3\nnode = \"\"\"a\nb\"\"\"",
        "STORE=memory:\nIDLE_TIMEOUT=10m\nSAME_SITE=strict\n:PATH=/bin\nTOUCH=visit\nRENEW_GRACE=30s",
        "user\n\n\nhost:6379/0\nprefix=a&durability=async\nredis+sentinel",
        "us?er\nx&y=\n@\nhost\nprefix=a&prefix=b\nrediss",
        "a\"b\nc d\n%3F\n[::1]\nnear_cache=1\n9",
        "prefix\n?\n#\n@\n=&&\nmine",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}
