use super::*;

const FORM: &str = "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n\
                    --b\r\ncontent-type: audio/mpeg\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a;b.mp3\"\
                    \r\n\r\n\0\r\n-\r\n--\r\n--c\r\n\r\n--b--\r\n";

/// Reads a form in pieces; everything that stands in it.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Piece>, MultipartError> {
    let mut reader = MultipartReader::new("b");
    let mut found = Vec::new();
    for piece in pieces {
        reader.push(piece);
        while let Some(piece) = reader.next_piece()? {
            found.push(piece);
        }
    }
    reader.finish().map(|()| found)
}

fn part(name: &str, is_file: bool) -> PartHead {
    PartHead { name: name.to_owned(), is_file, is_utf8: true }
}

#[test]
fn parts_are_told_with_their_places() {
    let at = |text: &str| u64::try_from(FORM.find(text).unwrap()).unwrap();
    let found = read([FORM.as_bytes()]).unwrap();
    let expected = vec![
        Piece::Part { head: part("model", false), delimiter: 0, content: at("m\r\n--b") },
        Piece::End { content: at("\r\n--b\r\ncontent-type"), delimiter: at("--b\r\ncontent-type") },
        Piece::Part { head: part("file", true), delimiter: at("--b\r\ncontent-type"), content: at("\0") },
        Piece::End { content: at("\r\n--b--"), delimiter: at("--b--") },
        Piece::Close,
    ];
    assert_eq!(found, expected);
}

#[test]
fn every_split_of_a_form_reads_as_the_whole() {
    let form = FORM.as_bytes();
    let whole = read([form]).unwrap();
    assert_eq!(read(form.chunks(1)).unwrap(), whole);
    for first in 0..=form.len() {
        for second in first..=form.len() {
            let pieces = [&form[..first], &form[first..second], &form[second..]];
            assert_eq!(read(pieces).unwrap(), whole, "{first} {second}");
        }
    }
}

#[test]
fn every_beginning_of_a_form_is_no_form() {
    let end = FORM.len() - "\r\n".len();
    for length in 0..end {
        assert!(read([&FORM.as_bytes()[..length]]).is_err(), "{length}");
    }
    assert!(read([&FORM.as_bytes()[..end]]).is_ok(), "the last line end may be missing");
}

/// Puts `head` and `content` into a form of one part.
fn form_of(head: &str, content: &str) -> String {
    format!("--b\r\n{head}\r\n\r\n{content}\r\n--b--\r\n")
}

#[test]
fn what_readers_take_differently_is_refused() {
    let name = "Content-Disposition: form-data; name=\"model\"";
    let forms = [
        "--b--".to_owned() + "x",
        "\r\n".to_owned() + FORM,
        "preamble\r\n".to_owned() + FORM,
        FORM.to_owned() + "epilogue",
        FORM.to_owned() + "\r\n",
        FORM.replace("\r\n", "\n"),
        FORM.replace("--b\r\n", "--b \r\n"),
        FORM.replace("--b--", "--b-"),
        form_of("", "m"),
        form_of("content-type: text/plain", "m"),
        form_of(&format!("{name}\r\n{name}"), "m"),
        form_of(&format!("{name}\n\tx"), "m"),
        form_of(&format!("{name}\r\n ;filename=x"), "m"),
        form_of(&format!("{name}\r\ncontent-transfer-encoding: base64"), "m"),
        form_of("Content-Disposition : form-data; name=\"model\"", "m"),
        form_of("Content-Disposition: attachment; name=\"model\"", "m"),
        form_of("Content-Disposition: form-data", "m"),
        form_of("Content-Disposition: form-data; name=\"a\"; name=\"model\"", "m"),
        form_of("Content-Disposition: form-data; NAME=\"a\"; name=\"model\"", "m"),
        form_of("Content-Disposition: form-data; name*=utf-8''model", "m"),
        form_of("Content-Disposition: form-data; name=\"mo\\del\"", "m"),
        form_of("Content-Disposition: form-data; name=\"model\\\"\"", "m"),
        form_of("Content-Disposition: form-data; name=\"model", "m"),
        form_of("Content-Disposition: form-data; name=\"\"", "m"),
        form_of("Content-Disposition: form-data; name=\"model\" x", "m"),
        form_of("Content-Disposition: form-data; name=\"model\"; filename=\"a\\\"; name=\\\"b\"", "m"),
        form_of(&format!("{name}\r\nx: --b"), "m"),
        // A boundary that lenient readers take for one.
        form_of(name, "m\n--b\nx"),
        form_of(name, "m\r--b\r\n"),
        form_of(name, "m--b\r\n"),
        form_of(name, "m\r\n--bx"),
        form_of(name, &format!("m\n--b\r\n{name}\r\n\r\nother")),
        "--b\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\n--b--\r\n".to_owned(),
        form_of(&format!("{name}\r\nx: {}", "y".repeat(HEAD_BYTES_MAX)), "m"),
        form_of(name, "m").repeat(2),
    ];
    for form in forms {
        assert!(read([form.as_bytes()]).is_err(), "{form:?}");
        assert!(read(form.as_bytes().chunks(1)).is_err(), "{form:?}");
    }
    assert!(read([form_of(name, "").as_bytes()]).is_ok(), "a field may be empty");
}

#[test]
fn parts_have_a_bound() {
    let part = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n";
    let form = |parts: usize| part.repeat(parts) + "--b--\r\n";
    assert!(read([form(PARTS_MAX - 1).as_bytes()]).is_ok());
    assert!(read([form(PARTS_MAX).as_bytes()]).is_err());
}

#[test]
fn only_the_overlap_of_two_pieces_is_held() {
    let mut reader = MultipartReader::new("b");
    reader.push(b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n");
    for _ in 0..1_000 {
        reader.push(&[b'x'; 1_024]);
        while reader.next_piece().unwrap().is_some() {}
        assert!(reader.waiting.len() <= 4, "{}", reader.waiting.len());
    }
}

#[test]
fn a_boundary_is_one_by_the_standard() {
    for (media_type, boundary) in [
        ("multipart/form-data; boundary=abc", "abc"),
        ("Multipart/Form-Data;boundary=\"a b:c\"", "a b:c"),
        ("multipart/form-data; charset=utf-8; boundary=----WebKit'()+_,-./=?", "----WebKit'()+_,-./=?"),
    ] {
        assert_eq!(boundary_of(media_type.as_bytes()), Ok(boundary.to_owned()));
    }
    let long = format!("multipart/form-data; boundary={}", "x".repeat(71));
    for media_type in [
        "application/json",
        "multipart/mixed; boundary=a",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"\"",
        "multipart/form-data; boundary=\"a \"",
        "multipart/form-data; boundary=a; boundary=b",
        "multipart/form-data; boundary=a; BOUNDARY=b",
        "multipart/form-data; boundary=\"a\\\"b\"",
        "multipart/form-data; boundary=a\u{e4}",
        long.as_str(),
    ] {
        assert!(boundary_of(media_type.as_bytes()).is_err(), "{media_type}");
    }
}
