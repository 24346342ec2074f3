//! The layout of the file: its constants, and where its checksum is.

pub(super) const FORMAT: &str = "vqtoken";
pub(super) const VERSION: u64 = 2;
/// The bytes that hold the header's length.
pub(super) const PREFIX: usize = 8;
/// Far more than a header needs, and little enough to read before anything is known of the file.
pub(super) const MAX_HEADER: usize = 1 << 20;
/// What stands before the checksum's digits. JSON strings escape their quotes, so no value can look like it.
pub(super) const CHECKSUM_KEY: &str = "\"checksum\":\"";
pub(super) const CHECKSUM_DIGITS: usize = 8;

/// Where the checksum's digits are: the first place after its key. `None` if there are no 8 such bytes.
pub(super) fn find_checksum(header: &[u8]) -> Option<usize> {
    let key = CHECKSUM_KEY.as_bytes();
    let at = header.windows(key.len()).position(|window| window == key)? + key.len();
    (at + CHECKSUM_DIGITS <= header.len()).then_some(at)
}

/// The checksum of a file whose digits begin at `digits`.
pub(super) fn checksum(file: &[u8], digits: usize) -> String {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&file[..digits]);
    crc.update(&[b'0'; CHECKSUM_DIGITS]);
    crc.update(&file[digits + CHECKSUM_DIGITS..]);
    format!("{:08x}", crc.finalize())
}
