//! `.vqt` files that come one after the other are cut apart, whatever pieces they come in.
#![allow(clippy::unwrap_used)]

use vqtoken_search::{TokenStream, TokenStreamError};

/// A file with a header of two tensors whose data have this length together.
fn file(data: usize) -> Vec<u8> {
    let header = format!(
        r#"{{"__metadata__":{{"data_offsets":"x"}},"b":{{"data_offsets":[1,{data}]}},"a":{{"data_offsets":[0,1]}}}}"#
    );
    let length = (header.len() as u64).to_le_bytes();
    [&length[..], header.as_bytes(), &vec![data as u8; data]].concat()
}

fn cut_apart(stream: &[u8], piece: usize, most: u64) -> (Vec<Vec<u8>>, Result<(), TokenStreamError>) {
    let (mut cutter, mut files) = (TokenStream::new(most), Vec::new());
    for mut piece in stream.chunks(piece) {
        loop {
            match cutter.next_file(&mut piece) {
                Ok(Some(file)) => files.push(file),
                Ok(None) => break,
                Err(error) => return (files, Err(error)),
            }
        }
    }
    (files, cutter.finish())
}

#[test]
fn files_are_the_same_in_pieces_of_any_size() {
    let files = [file(5), file(1), file(900)];
    let stream = files.concat();
    for piece in [1, 2, 7, 8, 9, 100, stream.len()] {
        assert_eq!(cut_apart(&stream, piece, 2000), (files.to_vec(), Ok(())), "{piece}");
    }
    assert_eq!(cut_apart(&[], 1, 2000), (Vec::new(), Ok(())));
}

#[test]
fn what_was_whole_before_a_fault_is_there() {
    let [first, second] = [file(5), file(900)];
    let stream = [first.clone(), second.clone()].concat();
    for length in first.len() + 1..stream.len() {
        assert_eq!(
            cut_apart(&stream[..length], 64, 2000),
            (vec![first.clone()], Err(TokenStreamError::Cut)),
            "{length}"
        );
    }
    let most = second.len() as u64 - 1;
    let too_large = TokenStreamError::TooLarge { bytes: most + 1, most };
    assert_eq!(cut_apart(&stream, 64, most), (vec![first.clone()], Err(too_large)));
    for fault in [
        "no .vqt file at all",
        "\0\0\0\0\0\0\0\0",
        "\u{4}\0\0\0\0\0\0\0nope",
        "\u{c}\0\0\0\0\0\0\0{\"a\":{\"b\":1}",
    ] {
        let stream = [first.as_slice(), fault.as_bytes()].concat();
        assert_eq!(
            cut_apart(&stream, 3, 2000),
            (vec![first.clone()], Err(TokenStreamError::Header)),
            "{fault:?}"
        );
    }
    let huge = [&2_u64.to_le_bytes()[..], b"{}", &(1_u64 << 24).to_le_bytes()].concat();
    let (files, error) = cut_apart(&huge, 64, 2000);
    assert_eq!(files.len(), 1);
    assert!(matches!(error, Err(TokenStreamError::TooLarge { .. })), "{error:?}");
}
