//! A video as it stands in a request.

/// A video, and where in the request it stands.
#[derive(Debug)]
pub(crate) struct Given {
    /// The full name of the parameter, such as `messages[0].content[1].video_url.url`.
    pub(crate) place: String,
    pub(crate) form: Form,
}

/// How a video is given.
#[derive(Debug)]
pub(crate) enum Form {
    /// An address: `data:`, `file:`, `http:`, `https:`, `vqt:` or `live:`.
    Url(String),
    /// A file in base64.
    Base64(String),
    /// A `.vqt` file in base64.
    Tokens(String),
    /// Pictures, each as an address or in base64.
    Pictures(Vec<String>),
}
