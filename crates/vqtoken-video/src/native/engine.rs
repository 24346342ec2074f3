//! The two decoders behind native decoding, and which stream goes to which.

use rust_h264::decoder::{ChromaFormat, Decoder as BroadDecoder, Frame as BroadFrame};
use rust_h264::error::DecodeError as BroadError;
use rust_h264::nal::parse_annex_b;
use rusty_h264_common::YuvFrame;
use rusty_h264_common::nal::emulation_unprevent;
use rusty_h264_decoder::{Decoder as StrictDecoder, Pps, Sps};

use crate::colour::Planes;

/// Which decoder; the greater one decodes all that the smaller one does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum EngineKind {
    /// Progressive 8-bit 4:2:0 without explicitly weighted B-frames, cropped on the right and at the bottom at most. Notices most damage, and is the faster one.
    Strict,
    /// Everything in the table of this module. Decodes many damaged pictures to nonsense without a word.
    Broad,
}

impl EngineKind {
    /// What a sequence parameter set (without its header byte) asks for.
    pub(crate) fn for_sequence(payload: &[u8]) -> Self {
        match Sps::parse(&emulation_unprevent(payload)) {
            Ok(set) if set.frame_mbs_only && set.pic_order_cnt_type != 1 && !set.transform_bypass => {
                // The strict decoder takes all cropping for cropping on the right and at the bottom.
                if set.frame_crop_left == 0 && set.frame_crop_top == 0 { Self::Strict } else { Self::Broad }
            }
            _ => Self::Broad,
        }
    }

    /// What a picture parameter set (without its header byte) asks for.
    pub(crate) fn for_picture(payload: &[u8]) -> Self {
        match Pps::parse(&emulation_unprevent(payload)) {
            Ok(set) if set.weighted_bipred_idc != 1 => Self::Strict,
            _ => Self::Broad,
        }
    }
}

/// Why no picture came out.
pub(crate) enum EngineError {
    /// No native decoder has this feature.
    Unsupported(&'static str),
    Damaged(String),
    /// The decoder ran into one of its own assertions; its state is not to be trusted any more.
    Panicked,
}

/// A decoder with its state.
pub(crate) enum Engine {
    Strict {
        decoder: Box<StrictDecoder>,
        /// The last picture broke off and still lies about: the next one will stumble over it once.
        unfinished: bool,
    },
    Broad(Box<BroadDecoder>),
}

impl Engine {
    /// A decoder that has seen these parameter sets (Annex B).
    pub(crate) fn new(kind: EngineKind, parameter_sets: &[u8]) -> Self {
        let mut engine = match kind {
            EngineKind::Strict => Self::Strict { decoder: Box::new(StrictDecoder::new()), unfinished: false },
            EngineKind::Broad => Self::Broad(Box::new(BroadDecoder::new())),
        };
        // A bad parameter set shows at the first picture that needs it.
        let _ = engine.decode(parameter_sets);
        engine
    }

    /// Decodes the access unit of one picture (Annex B) to its picture order count and planes.
    ///
    /// Neither decoder is known to panic in a release build, but with overflow checks arithmetic on hostile numbers
    /// does; a damaged file must not bring the program down.
    pub(crate) fn decode(&mut self, stream: &[u8]) -> Result<Option<(i32, Planes)>, EngineError> {
        let decode = std::panic::AssertUnwindSafe(|| self.decode_unguarded(stream));
        std::panic::catch_unwind(decode).unwrap_or(Err(EngineError::Panicked))
    }

    fn decode_unguarded(&mut self, stream: &[u8]) -> Result<Option<(i32, Planes)>, EngineError> {
        match self {
            Self::Strict { decoder, unfinished } => {
                let mut result = decoder.decode(stream);
                if *unfinished && result.is_err() {
                    result = decoder.decode(stream);
                }
                *unfinished = !matches!(result, Ok(Some(_)));
                // What it calls unsupported was ruled out by the parameter sets: here it is nonsense in the stream.
                let picture = result.map_err(|error| EngineError::Damaged(error.to_string()))?;
                Ok(picture.map(|picture| (decoder.last_poc(), strict_planes(picture))))
            }
            Self::Broad(decoder) => decode_broad(decoder, stream),
        }
    }
}

fn decode_broad(decoder: &mut BroadDecoder, stream: &[u8]) -> Result<Option<(i32, Planes)>, EngineError> {
    let mut failure = None;
    for nal in parse_annex_b(stream) {
        match decoder.decode_nal(&nal) {
            Ok(_) => {}
            Err(BroadError::Unsupported(feature)) => return Err(EngineError::Unsupported(feature)),
            Err(error) => failure = failure.or(Some(error.to_string())),
        }
    }
    // It hands a picture out when the next one begins; here every access unit is one picture.
    let picture = decoder.flush();
    match failure {
        Some(what) => Err(EngineError::Damaged(what)),
        None => Ok(picture.map(|picture| (picture.pic_order_cnt, broad_planes(picture)))),
    }
}

fn strict_planes(picture: YuvFrame) -> Planes {
    Planes {
        width: picture.width,
        height: picture.height,
        full_height_chroma: false,
        bit_depth: 8,
        y: picture.y,
        u: picture.u,
        v: picture.v,
    }
}

fn broad_planes(picture: BroadFrame) -> Planes {
    Planes {
        width: picture.width as usize,
        height: picture.height as usize,
        full_height_chroma: picture.chroma_format == ChromaFormat::Yuv422,
        bit_depth: picture.bit_depth,
        y: picture.y,
        u: picture.u,
        v: picture.v,
    }
}
