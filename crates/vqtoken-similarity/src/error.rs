//! Why videos cannot be compared, or bytes are no signature.

/// Why two videos, or their signatures, cannot be compared.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SimilarityError {
    /// The codes were made by different vision sides.
    #[error("one video was encoded by {a:?} and the other by {b:?}: encode both with the same model")]
    Models {
        /// The model of the first video.
        a: String,
        /// That of the second.
        b: String,
    },
    /// The codes have different numbers of channels.
    #[error("codes of {a} and of {b} channels cannot be compared: encode both videos with the same model")]
    Dimensions {
        /// D of the first video, or of the mean.
        a: usize,
        /// D of the second.
        b: usize,
    },
    /// The index map is over another number of codes than the codebook has.
    #[error(
        "the index map is over {map} codes but the codebook has {codebook}: take both from the same quantization"
    )]
    Codes {
        /// K of the index map.
        map: usize,
        /// K of the codebook.
        codebook: usize,
    },
    /// There is not one timestamp for each frame.
    #[error("there are {timestamps} timestamps for {frames} frames: give one for each frame")]
    Timestamps {
        /// Timestamps given.
        timestamps: usize,
        /// T.
        frames: usize,
    },
    /// A code holds NaN or infinity.
    #[error("code {code} holds a value that is not finite: encode the video again")]
    NotFinite {
        /// The first such code.
        code: usize,
    },
    /// A timestamp is not finite, or earlier than the one before it.
    #[error("the timestamp of frame {frame} is {seconds} s: timestamps have to be finite and to ascend")]
    Time {
        /// The first such frame.
        frame: usize,
        /// Its timestamp.
        seconds: f64,
    },
    /// All codes are zero vectors.
    #[error("all codes are zero vectors, which have no direction to compare")]
    NoCodes,
    /// A video of one instant cannot be aligned in time.
    #[error(
        "a video of {frames} frames at one instant has no course of time: align needs two frames at different times"
    )]
    OneFrame {
        /// T.
        frames: usize,
    },
    /// A mean code of no codes, or one that is not finite.
    #[error("a mean code needs at least one code, and only finite values")]
    Mean,
    /// Signatures that were made with different models or relative to different means.
    #[error(
        "signatures {a} and {b} were made with different models or means: make all of an archive with the same"
    )]
    Signatures {
        /// The number of the first of two, in the order given.
        a: usize,
        /// The number of the second.
        b: usize,
    },
    /// A threshold that no score can be compared with.
    #[error("a threshold of {threshold} is out of range: scores are between 0 and 1")]
    Threshold {
        /// What was given.
        threshold: f32,
    },
    /// The caller asked to stop.
    #[error("the search was cancelled")]
    Cancelled,
}

/// Why bytes are no signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureFormatError {
    /// They do not begin as a signature does.
    #[error("these bytes are no signature of a video")]
    Magic,
    /// They were written by a newer version.
    #[error(
        "the signature has version {found}, this program reads up to {known}: make it again from the video tokens"
    )]
    Version {
        /// The version they name.
        found: u16,
        /// The newest that is read.
        known: u16,
    },
    /// They are fewer or more than the header says, or the header asks for more than a signature may have.
    #[error(
        "a signature of {vectors} vectors has {expected} bytes, but {found} were given: the file is cut off or damaged"
    )]
    Length {
        /// Vectors, as the header says.
        vectors: usize,
        /// Bytes of such a signature; 0 if none may have so many.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// The checksum does not fit.
    #[error("the signature is damaged (its checksum does not fit): make it again from the video tokens")]
    Checksum,
    /// A value that no signature holds.
    #[error(
        "the signature holds a value that is not finite or out of order: make it again from the video tokens"
    )]
    Value,
}
