//! Options as people write them: in a TOML file, in environment variables, on the command line.

use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;

/// The beginning of the names of environment variables.
pub const ENVIRONMENT: &str = "VQTOKEN_SERVE_";

/// Why options cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The file is not TOML, has an unknown key, or a value of the wrong kind.
    #[error("{problem}")]
    File {
        /// What is wrong, with line and key.
        problem: String,
    },
    /// A variable that stands for no option.
    #[error("the environment variable {name} stands for no option: `vqtoken serve --help` lists the options")]
    UnknownVariable {
        /// Its name.
        name: String,
    },
    /// A variable whose value cannot be used.
    #[error("{value:?} in the environment variable {name} cannot be used: expected {expected}")]
    Variable {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
        /// What is expected.
        expected: &'static str,
    },
}

/// A value that an environment variable can hold.
trait Text: Sized {
    const EXPECTED: &'static str;
    fn read(text: &str) -> Option<Self>;
}

macro_rules! text {
    ($($kind:ty: $expected:literal),+) => {$(
        impl Text for $kind {
            const EXPECTED: &'static str = $expected;
            fn read(text: &str) -> Option<Self> {
                <$kind>::from_str(text).ok()
            }
        }
    )+};
}

text!(String: "a text", PathBuf: "a path", u64: "a whole number", usize: "a whole number",
    f64: "a number", bool: "true or false");

impl Text for Vec<String> {
    const EXPECTED: &'static str = "names with commas between them";

    fn read(text: &str) -> Option<Self> {
        Some(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect())
    }
}

macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident: $kind:ty),+ $(,)?) => {
        /// Options that were written down somewhere; what is not is `None`.
        #[derive(Clone, Debug, Default, Deserialize, PartialEq)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        pub struct Settings {
            $($(#[$doc])* #[serde(default)] pub $name: Option<$kind>,)+
        }

        impl Settings {
            /// These, and where they say nothing, others.
            #[must_use]
            pub fn or(self, others: Self) -> Self {
                Self { $($name: self.$name.or(others.$name),)+ }
            }

            fn set(&mut self, option: &str, variable: &str, value: &str) -> Result<(), SettingsError> {
                match option {
                    $(stringify!($name) => {
                        let read = <$kind as Text>::read(value).ok_or_else(|| SettingsError::Variable {
                            name: variable.to_owned(),
                            value: value.to_owned(),
                            expected: <$kind as Text>::EXPECTED,
                        })?;
                        self.$name = Some(read);
                    })+
                    _ => return Err(SettingsError::UnknownVariable { name: variable.to_owned() }),
                }
                Ok(())
            }
        }
    };
}

settings! {
    /// Model folder or hub id.
    model: PathBuf,
    /// Base model of an adapter.
    base: PathBuf,
    /// How weights are kept.
    precision: String,
    /// Address and port.
    bind: String,
    /// Keys.
    key: Vec<String>,
    /// Serve others without a key.
    no_key: bool,
    /// Names that the server answers to.
    allow_host: Vec<String>,
    /// Folder of the store.
    store: PathBuf,
    /// Bytes of the store.
    store_bytes: u64,
    /// Folder of media files.
    media: PathBuf,
    /// Sources of live streams, NAME=SOURCE.
    live: Vec<String>,
    /// Folder of their windows.
    live_folder: PathBuf,
    /// Hosts to fetch from.
    fetch_host: Vec<String>,
    /// Bytes of an upload.
    upload_bytes: u64,
    /// Bytes of a JSON body.
    body_bytes: usize,
    /// Connections at once.
    connections: usize,
    /// Seconds for the head of a request.
    head_seconds: f64,
    /// Seconds that a body may stand still.
    body_seconds: f64,
    /// Seconds for work under way at the end.
    drain_seconds: f64,
    /// Answers at once.
    rows: usize,
    /// Questions that may wait.
    questions: usize,
    /// Videos that may wait.
    videos: usize,
    /// Bytes of prompts that are kept.
    prefix_bytes: u64,
    /// Frames sampled from a video.
    frames: usize,
    /// Tokens of an answer.
    max_tokens: usize,
    /// Decode without other programs.
    no_ffmpeg: bool,
    /// Log texts of questions.
    log_questions: bool,
    /// How much is logged, as `RUST_LOG`.
    log: String,
}

impl Settings {
    /// Reads a TOML file's text.
    ///
    /// # Errors
    ///
    /// If it is not TOML, holds a key that is no option, or a value of another kind than its option takes.
    pub fn from_toml(text: &str) -> Result<Self, SettingsError> {
        toml::from_str(text)
            .map_err(|error| SettingsError::File { problem: error.to_string().trim().to_owned() })
    }

    /// Reads the variables that begin with [`ENVIRONMENT`]; all others are passed over.
    ///
    /// # Errors
    ///
    /// If one of them stands for no option, or its value cannot be used.
    pub fn from_environment(
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        let mut settings = Self::default();
        for (name, value) in variables {
            if let Some(option) = name.strip_prefix(ENVIRONMENT).filter(|&option| option != "CONFIG") {
                settings.set(&option.to_lowercase(), &name, &value)?;
            }
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_no_option_is_named() {
        let error = Settings::from_toml("bind = \"a\"\nstroe = \"b\"\n").unwrap_err().to_string();
        assert!(error.contains("stroe") && error.contains("line 2"), "{error}");
        let error = Settings::from_toml("rows = \"many\"").unwrap_err().to_string();
        assert!(error.contains("rows"), "{error}");
    }

    #[test]
    fn variables_are_read_and_wrong_ones_named() {
        let variables =
            |name: &str, value: &str| Settings::from_environment([(name.to_owned(), value.to_owned())]);
        assert_eq!(variables("VQTOKEN_SERVE_ROWS", "4").unwrap().rows, Some(4));
        assert_eq!(
            variables("VQTOKEN_SERVE_KEY", "1234, b").unwrap().key,
            Some(vec!["1234".into(), "b".into()])
        );
        assert_eq!(variables("VQTOKEN_SERVE_CONFIG", "x").unwrap(), Settings::default());
        assert_eq!(variables("PATH", "x").unwrap(), Settings::default());
        let error = variables("VQTOKEN_SERVE_ROWS", "many").unwrap_err().to_string();
        assert!(error.contains("VQTOKEN_SERVE_ROWS") && error.contains("whole number"), "{error}");
        assert!(variables("VQTOKEN_SERVE_ROW", "1").is_err());
    }

    #[test]
    fn the_first_that_says_something_counts() {
        let first = Settings { rows: Some(1), ..Settings::default() };
        let second = Settings { rows: Some(2), frames: Some(3), ..Settings::default() };
        let both = first.or(second);
        assert_eq!((both.rows, both.frames), (Some(1), Some(3)));
    }
}
