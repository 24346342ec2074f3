//! Command lines: what may be opened, and how frames and their times are asked for.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use super::times::TICKS_PER_SECOND;
use vqtoken_files::Limits;

/// What may be asked for by number in one filter: the longest argument that Linux takes has 128 KiB.
const MOST_RANGES: usize = 3000;

/// Demuxers that read one file and nothing else. Playlists, manifests and lists of files (hls, dash, concat, sdp, imf), numbered
/// pictures (image2) and pictures that may name others (svg) are left out.
pub(super) const DEMUXERS: &str = "mov,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,live_flv,kux,asf,asf_o,ogg,ivf,h264,hevc,vvc,evc,av1,obu,\
    m4v,h263,h261,vc1,vc1test,cavsvideo,dirac,dnxhd,mjpeg,mjpeg_2000,smjpeg,gif,apng,yuv4mpegpipe,rm,mxf,gxf,dv,nut,wtv,nsv,nuv,swf,\
    4xm,bink,smk,roq,flic,ipmovie,vmd,wc3movie,film_cpk,ea,thp,mv,xmv,amv,dxa,rl2,vivo,filmstrip,cine,lxf,pva,cdxl,bfi,bmv,c93,yop,\
    bmp_pipe,cri_pipe,dds_pipe,dpx_pipe,exr_pipe,gif_pipe,hdr_pipe,j2k_pipe,jpeg_pipe,jpegls_pipe,jpegxl_pipe,jpegxl_anim,pam_pipe,\
    pbm_pipe,pcx_pipe,pfm_pipe,pgm_pipe,pgx_pipe,phm_pipe,png_pipe,ppm_pipe,psd_pipe,qoi_pipe,sgi_pipe,sunrast_pipe,tiff_pipe,\
    webp_pipe,webp_anim,xbm_pipe,xpm_pipe,xwd_pipe,mp3,wav,w64,flac,aac,ac3,eac3,aiff,caf,amr,ape,dts,tta,wv,au";

/// Which `ffmpeg` is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Version 5.1 and later.
    Current,
    /// Before 5.1, `-fps_mode` had another name.
    Old,
}

/// Which frames come over the pipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pictures {
    None,
    All,
    /// First and last index of each run of frames, ascending.
    Runs(Vec<(usize, usize)>),
}

impl Pictures {
    /// Exactly these frames, or all where they are too many to ask for.
    pub(super) fn these(indices: &[usize]) -> Self {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for &index in indices {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == index => *last = index,
                _ => runs.push((index, index)),
            }
        }
        match runs.len() {
            0 => Pictures::None,
            1..=MOST_RANGES => Pictures::Runs(runs),
            _ => Pictures::All,
        }
    }
}

/// The program: what `VQTOKEN_FFMPEG` names, else `ffmpeg` on PATH.
pub(crate) fn program() -> String {
    std::env::var("VQTOKEN_FFMPEG").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "ffmpeg".into())
}

/// The `ffprobe` that belongs to [`program`], if its name tells.
pub(super) fn probe_program() -> Option<OsString> {
    let program = program();
    let path = Path::new(&program);
    let name = path.file_name()?.to_str()?;
    let at = name.rfind("ffmpeg")?;
    let name = format!("{}ffprobe{}", &name[..at], &name[at + "ffmpeg".len()..]);
    Some(path.with_file_name(name).into_os_string())
}

/// What is said of a file by `ffprobe`, on standard output. Titles and other texts of the file are not asked for.
pub(super) fn probe(program: OsString, path: &Path, limits: &Limits) -> Command {
    const ENTRIES: &str = "stream=index,codec_type,codec_name,width,height,color_transfer:\
        stream_disposition=default,attached_pic:stream_side_data=rotation:format=format_name,duration:\
        format_tags=creation_time";
    let mut command = Command::new(program);
    command.args(["-hide_banner", "-loglevel", "level+error", "-of", "flat", "-show_entries", ENTRIES]);
    add_input(&mut command, path, limits);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// What is said of a file by `ffmpeg` itself, in its log.
pub(super) fn describe(path: &Path, limits: &Limits) -> Command {
    let mut command = Command::new(program());
    command.args(["-nostdin", "-hide_banner", "-nostats", "-loglevel", "level+info"]);
    add_input(&mut command, path, limits);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// One pass through a stream: the times of all its frames go to descriptor 0 (standard input, which is otherwise of no use here),
/// pictures to standard output.
pub(super) fn pass(
    path: &Path,
    limits: &Limits,
    stream: usize,
    dialect: Dialect,
    pictures: &Pictures,
) -> Command {
    let mut command = Command::new(program());
    command.args(["-nostdin", "-hide_banner", "-nostats", "-loglevel", "level+error", "-copyts"]);
    add_input(&mut command, path, limits);
    let passthrough = match dialect {
        Dialect::Current => ["-fps_mode", "passthrough"],
        Dialect::Old => ["-vsync", "passthrough"],
    };
    let stream = format!("0:{stream}");
    command.args(["-map", &stream, "-vf", &times_filter()]).args(passthrough);
    command.args(["-enc_time_base", &format!("1:{TICKS_PER_SECOND}"), "-flush_packets", "1"]);
    command.args(["-c:v", "rawvideo", "-f", "framecrc", "pipe:0"]);
    if let Some(filter) = pictures_filter(pictures) {
        command.args(["-map", &stream, "-vf", &filter]).args(passthrough);
        command
            .args(["-pix_fmt", "rgb24", "-c:v", "ppm", "-f", "image2pipe", "pipe:1"])
            .stdout(Stdio::piped());
    } else {
        command.stdout(Stdio::null());
    }
    command
}

/// The input and what it may reach. `file:` keeps a name with a dash or a colon from being taken for something else.
fn add_input(command: &mut Command, path: &Path, limits: &Limits) {
    let mut input = OsString::from("file:");
    input.push(path);
    let pixels = limits.frame_pixels.min(i32::MAX as u64).to_string();
    command
        .args(["-protocol_whitelist", "file", "-format_whitelist", DEMUXERS, "-max_pixels", &pixels, "-i"])
        .arg(input);
}

/// A small black picture for each frame, and a white one for the first after the filters were set up: FFmpeg sets them up anew when
/// size or format of the frames change, and counts from 0 again.
fn times_filter() -> String {
    format!(
        "settb=1/{TICKS_PER_SECOND},crop=min(iw\\,16):min(ih\\,16):0:0:0:1,format=yuv444p,lutyuv=y=0:u=0:v=0,\
         negate=enable=eq(n\\,0)"
    )
}

fn pictures_filter(pictures: &Pictures) -> Option<String> {
    match pictures {
        Pictures::None => None,
        // The pixel format is stated behind the filters: size and format then change in one step, with FFmpeg's own scaler.
        Pictures::All => Some("null".into()),
        Pictures::Runs(runs) => Some(format!("select='{}'", choice(runs))),
    }
}

/// An expression that is 1 for the frames of these runs. It is as deep as the logarithm of their number: FFmpeg takes no
/// expression that is deeper than 100, such as a long sum.
fn choice(runs: &[(usize, usize)]) -> String {
    match runs {
        [] => "0".into(),
        [(first, last)] if first == last => format!("eq(n,{first})"),
        [(first, last)] => format!("between(n,{first},{last})"),
        _ => {
            let (before, after) = runs.split_at(runs.len() / 2);
            format!("if(lt(n,{}),{},{})", after[0].0, choice(before), choice(after))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wanted_frames_are_asked_for_by_number() {
        let filter = |indices: &[usize]| pictures_filter(&Pictures::these(indices)).unwrap();
        assert_eq!(filter(&[7]), "select='eq(n,7)'");
        assert_eq!(filter(&[0, 7, 8, 9]), "select='if(lt(n,7),eq(n,0),between(n,7,9))'");
        assert_eq!(pictures_filter(&Pictures::these(&[])), None);
    }

    #[test]
    fn any_number_of_frames_fits_an_argument() {
        let wanted = |count: usize| (0..count).map(|index| 1_000_000 + index * 2).collect::<Vec<_>>();
        assert!(pictures_filter(&Pictures::these(&wanted(MOST_RANGES))).unwrap().len() < 1 << 17);
        assert_eq!(Pictures::these(&wanted(MOST_RANGES + 1)), Pictures::All);
        assert_eq!(Pictures::these(&(0..100_000).collect::<Vec<_>>()), Pictures::Runs(vec![(0, 99_999)]));
    }
}
