//! The file and the environment.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;

use serde::de::{self, DeserializeOwned, Deserializer, Visitor};
use serde::forward_to_deserialize_any;
use toml::{Table, Value};

use super::{Config, ConfigError, nearest};

/// The file that is read where `ABIDE_CONFIG` names none.
const DEFAULT_FILE: &str = "abide.toml";
const PREFIX: &str = "ABIDE_";
const FILE_VARIABLE: &str = "ABIDE_CONFIG";

impl Config {
    /// `abide.toml` where there is one (or the file that `ABIDE_CONFIG` names), then the `ABIDE_*` variables.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a file that cannot be read, and for a setting that is unknown or wrong.
    pub fn load() -> Result<Self, ConfigError> {
        Self::new().and_load()
    }

    /// As [`Config::load`], with these settings where neither the file nor the environment says otherwise.
    ///
    /// # Errors
    ///
    /// As [`Config::load`].
    pub fn and_load(self) -> Result<Self, ConfigError> {
        let file = match env::var_os(FILE_VARIABLE) {
            Some(path) => Some(read(Path::new(&path), FILE_VARIABLE)?),
            None if Path::new(DEFAULT_FILE).exists() => Some(read(Path::new(DEFAULT_FILE), "the file")?),
            None => None,
        };
        self.and_sources(file.as_deref(), env::vars_os())
    }

    /// Settings from the text of a TOML file and from variables, over these. Variables whose names do not begin with
    /// `ABIDE_` are left alone.
    ///
    /// ```
    /// use abide::Config;
    ///
    /// let config = Config::new()
    ///     .and_sources(Some("idle_timeout = \"10m\""), [("ABIDE_COOKIE_NAME".into(), "sid".into())])?;
    /// assert_eq!(config, Config::new().idle_timeout(std::time::Duration::from_secs(600)).cookie_name("sid"));
    ///
    /// let wrong = Config::new().and_sources(None, [("ABIDE_IDLE_TIMOUT".into(), "10m".into())]).unwrap_err();
    /// assert_eq!(wrong.to_string(), "unknown setting ABIDE_IDLE_TIMOUT, did you mean ABIDE_IDLE_TIMEOUT?");
    /// # Ok::<(), abide::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Config::load`].
    pub fn and_sources(
        self,
        toml: Option<&str>,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let mut settings = Vec::new();
        if let Some(text) = toml {
            settings.extend(from_toml(text)?);
        }
        for (name, value) in variables {
            settings.extend(from_variable(&name, value)?);
        }
        let mut table = Table::try_from(&self)
            .map_err(|source| ConfigError::new("the settings cannot be read back").with_source(source))?;
        for setting in settings {
            setting.check()?;
            table.insert(setting.key, setting.value);
        }
        let config: Self = Value::Table(table)
            .try_into()
            .map_err(|source| ConfigError::new("the settings cannot be read").with_source(source))?;
        config.check()?;
        Ok(config)
    }
}

/// One setting, and how its source names it.
struct Setting {
    key: String,
    value: Value,
    named: String,
}

impl Setting {
    /// Reads the setting alone, so that an error names it as its source does.
    fn check(&self) -> Result<(), ConfigError> {
        let alone = Table::from_iter([(self.key.clone(), self.value.clone())]);
        match Value::Table(alone).try_into::<Config>() {
            Ok(_) => Ok(()),
            Err(error) => Err(ConfigError::new(format!("{}: {}", self.named, error.message()))),
        }
    }
}

fn read(path: &Path, what: &str) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| {
        ConfigError::new(format!("{what} {} cannot be read: {source}", path.display())).with_source(source)
    })
}

fn from_toml(text: &str) -> Result<Vec<Setting>, ConfigError> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        let line =
            error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        ConfigError::new(format!("the configuration file is not TOML: line {line}: {}", error.message()))
    })?;
    table
        .into_iter()
        .map(|(key, value)| match known(&key) {
            Ok(()) => Ok(Setting { named: format!("setting {key}"), key, value }),
            Err(meant) => Err(unknown(&key, &meant)),
        })
        .collect()
}

fn from_variable(name: &OsString, value: OsString) -> Result<Option<Setting>, ConfigError> {
    let name = name.to_string_lossy().into_owned();
    let Some(key) = name.strip_prefix(PREFIX).filter(|_| name != FILE_VARIABLE) else {
        return Ok(None);
    };
    let key = key.to_lowercase();
    // A variable in lower case is another variable; only capitals are ours to read.
    if let Err(meant) = known(&key) {
        return Err(unknown(&name, &variable(&meant)));
    }
    if name != variable(&key) {
        return Err(unknown(&name, &variable(&key)));
    }
    let value =
        value.into_string().map_err(|_| ConfigError::new(format!("{name}: the value is not UTF-8")))?;
    Ok(Some(Setting { key, value: Value::String(value), named: name }))
}

fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase())
}

fn unknown(named: &str, meant: &str) -> ConfigError {
    ConfigError::new(format!("unknown setting {named}, did you mean {meant}?"))
}

/// Whether a setting is known; else the nearest that is.
fn known(key: &str) -> Result<(), String> {
    let names = field_names::<Config>();
    if names.contains(&key) {
        return Ok(());
    }
    Err(nearest(key, names.iter().copied()).unwrap_or_default().to_owned())
}

/// The names of a struct's fields, as its `Deserialize` asks for them.
fn field_names<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut names: &[&str] = &[];
    // The answer is in `names`; there is nothing to read a value from.
    let _ = T::deserialize(FieldNames(&mut names));
    names
}

struct FieldNames<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for FieldNames<'_> {
    type Error = NoValue;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, NoValue> {
        Err(NoValue)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, NoValue> {
        *self.0 = fields;
        Err(NoValue)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[derive(Debug)]
struct NoValue;

impl fmt::Display for NoValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no value")
    }
}

impl std::error::Error for NoValue {}

impl de::Error for NoValue {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn from_env(name: &str, value: &str) -> Result<Config, String> {
        Config::new().and_sources(None, [(name.into(), value.into())]).map_err(|error| error.to_string())
    }

    fn from_file(text: &str) -> Result<Config, String> {
        Config::new().and_sources(Some(text), []).map_err(|error| error.to_string())
    }

    #[test]
    fn every_setting_survives_the_way_through_a_file() {
        let config = Config::new()
            .store("memory:")
            .store_from("memory:?max_sessions=7")
            .node("a")
            .route(super::super::Route::Suffix)
            .route_cookie("lb")
            .route_alias("x7")
            .draining_status(404)
            .cookie_domain("example.org")
            .renew_every(Duration::from_millis(90_500))
            .store_timeout(Duration::from_millis(1_500))
            .store_concurrency(512)
            .store_queue(0);
        let text = toml_text(&config);
        assert_eq!(from_file(&text), Ok(config));
    }

    fn toml_text(config: &Config) -> String {
        Table::try_from(config).unwrap().to_string()
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let config = Config::new()
            .and_sources(Some("idle_timeout = \"1m\""), [("ABIDE_IDLE_TIMEOUT".into(), "2m".into())])
            .unwrap();
        assert_eq!(config.idle_timeout, Duration::from_secs(120));
    }

    #[test]
    fn an_unknown_setting_names_the_nearest_known_one() {
        let error = from_env("ABIDE_IDEL_TIMEOUT", "1m").unwrap_err();
        assert_eq!(error, "unknown setting ABIDE_IDEL_TIMEOUT, did you mean ABIDE_IDLE_TIMEOUT?");
        let error = from_file("cokie_name = \"a\"").unwrap_err();
        assert_eq!(error, "unknown setting cokie_name, did you mean cookie_name?");
    }

    #[test]
    fn a_wrong_value_names_its_setting_and_what_would_be_accepted() {
        let error = from_env("ABIDE_IDLE_TIMEOUT", "soon").unwrap_err();
        assert_eq!(
            error,
            "ABIDE_IDLE_TIMEOUT: invalid value: string \"soon\", expected a duration with its unit, such as `30m`, \
             `1h 30m` or `500ms`"
        );
        assert!(from_env("ABIDE_INSECURE_HTTP", "yes").unwrap_err().contains("`true` or `false`"));
        assert!(from_env("ABIDE_ROUTE", "sticky").unwrap_err().contains("`cookie`"));
        assert!(from_env("ABIDE_DRAINING_STATUS", "off").unwrap_err().contains("`503` or `404`"));
        assert!(from_env("ABIDE_DRAINING_STATUS", "70000").unwrap_err().contains("`503` or `404`"));
        assert!(from_env("ABIDE_DRAINING_STATUS", "500").unwrap_err().contains("expected 503 or 404"));
        assert!(from_env("ABIDE_SAME_SITE", "loose").unwrap_err().contains("`lax`"));
        assert!(from_env("ABIDE_MAX_SESSION_BYTES", "-1").unwrap_err().contains("a number of bytes"));
        assert!(from_env("ABIDE_STORE_TIMEOUT", "1").unwrap_err().contains("a duration with its unit"));
        assert!(from_env("ABIDE_STORE_CONCURRENCY", "many").unwrap_err().contains("a number of operations"));
        assert!(from_file("store_queue = -1").unwrap_err().starts_with("setting store_queue: "));
        assert!(from_file("encryption_key_file = 7").unwrap_err().contains("a text"));
        assert!(from_file("idle_timeout = 30").unwrap_err().starts_with("setting idle_timeout: "));
    }

    #[test]
    fn settings_that_do_not_fit_each_other_are_refused() {
        assert!(from_file("idle_timeout = \"2days\"").unwrap_err().contains("absolute_timeout"));
        assert!(from_file("cookie_name = \"a b\"").unwrap_err().contains("cookie_name"));
        assert!(from_file("cookie_name = \"__Host-id\"").unwrap_err().contains("prefix"));
        assert!(from_file("insecure_http = true\nsame_site = \"none\"").unwrap_err().contains("same_site"));
    }

    #[test]
    fn the_stores_wrappers_are_set_by_file_environment_and_code_alike() {
        let code = Config::new()
            .store_timeout(Duration::from_secs(1))
            .store_concurrency(512)
            .store_queue(64)
            .encryption_key_file("keys");
        let text = "store_timeout = \"1s\"\nstore_concurrency = 512\nstore_queue = 64\nencryption_key_file = \"keys\"";
        let variables = [
            ("ABIDE_STORE_TIMEOUT", "1s"),
            ("ABIDE_STORE_CONCURRENCY", "512"),
            ("ABIDE_STORE_QUEUE", "64"),
            ("ABIDE_ENCRYPTION_KEY_FILE", "keys"),
        ];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let environment = Config::new().and_sources(None, variables).map_err(|error| error.to_string());
        if cfg!(feature = "encryption") {
            assert_eq!(from_file(text).as_ref(), Ok(&code));
            assert_eq!(environment, Ok(code));
        } else {
            let error = "encryption_key_file needs the feature `encryption` of abide";
            assert_eq!((from_file(text), environment), (Err(error.into()), Err(error.into())));
        }
    }

    #[test]
    fn limits_of_the_store_that_make_no_sense_are_refused() {
        assert!(from_file("store_timeout = \"0s\"").unwrap_err().contains("expected `1ms` to `1h`"));
        assert!(from_file("store_timeout = \"2h\"").unwrap_err().contains("expected `1ms` to `1h`"));
        assert!(from_file("store_concurrency = 1").unwrap_err().contains("expected 2 or more"));
        assert!(from_file("store_queue = 9").unwrap_err().contains("expected store_concurrency beside it"));
    }

    #[test]
    fn a_file_that_is_not_toml_names_its_line() {
        let error = from_file("idle_timeout = \"1m\"\nstore = = 3").unwrap_err();
        assert!(error.contains("line 2"), "{error}");
        assert_eq!(error.lines().count(), 1);
    }

    #[test]
    fn a_password_in_the_store_is_not_shown() {
        let url = "redis://user:secret@host/0?auth=hidden";
        let config = Config::new().store(url).store_from(url);
        let shown = format!("{config:?}");
        assert!(
            !shown.contains("secret") && !shown.contains("hidden") && shown.contains("redis:"),
            "{shown}"
        );
    }
}
