//! What a file is, from its first bytes. Names and content types are not believed.

use std::fmt;

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// RIFF WAVE.
    Wav,
    /// AIFF and AIFF-C.
    Aiff,
    /// MPEG audio, layers 1 to 3.
    Mp3,
    /// Ogg: Vorbis, Opus or FLAC.
    Ogg,
    /// FLAC.
    Flac,
    /// MPEG-4, as M4A: AAC or ALAC.
    Mp4,
    /// AAC without a container.
    Aac,
    /// Matroska and `WebM`, as browsers record.
    Matroska,
    /// Notes, not audio.
    Midi,
    /// Adaptive multi-rate, from old mobile phones.
    Amr,
    /// Windows Media.
    WindowsMedia,
    /// A picture.
    Picture,
    /// A PDF document.
    Pdf,
    /// A ZIP archive, which office documents are too.
    Archive,
    /// Text, a web page or a program.
    Text,
    /// Nothing that is known. MPEG audio may still be found in it.
    Unknown,
}

impl Kind {
    /// What a file is that begins so.
    pub fn of(file: &[u8]) -> Self {
        let found = MAGIC.iter().find(|(offset, magic, _)| {
            file.get(*offset..)
                .is_some_and(|rest| rest.starts_with(magic))
        });
        if let Some((_, _, kind)) = found {
            return *kind;
        }
        match file {
            // Frame headers begin with eleven ones (ISO 11172-3, 2.4.1.3); layer 0 is AAC in ADTS.
            [0xff, second, ..] if second & 0xf6 == 0xf0 => Self::Aac,
            [0xff, second, ..] if second & 0xe0 == 0xe0 && second & 0x06 != 0 => Self::Mp3,
            _ if is_text(file) => Self::Text,
            _ => Self::Unknown,
        }
    }

    /// Is it read?
    pub fn is_read(self) -> bool {
        match self {
            Self::Wav
            | Self::Aiff
            | Self::Mp3
            | Self::Ogg
            | Self::Flac
            | Self::Mp4
            | Self::Aac
            | Self::Matroska
            | Self::Unknown => true,
            Self::Midi
            | Self::Amr
            | Self::WindowsMedia
            | Self::Picture
            | Self::Pdf
            | Self::Archive
            | Self::Text => false,
        }
    }
}

impl fmt::Display for Kind {
    /// As the beginning of a sentence about the file.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::Wav => "a WAV file",
            Self::Aiff => "an AIFF file",
            Self::Mp3 => "an MP3 file",
            Self::Ogg => "an Ogg file",
            Self::Flac => "a FLAC file",
            Self::Mp4 => "an MP4 or M4A file",
            Self::Aac => "an AAC file",
            Self::Matroska => "a WebM or Matroska file",
            Self::Midi => "a MIDI file (notes instead of audio)",
            Self::Amr => "an AMR file",
            Self::WindowsMedia => "a Windows Media file",
            Self::Picture => "a picture",
            Self::Pdf => "a PDF document",
            Self::Archive => "an archive or an office document",
            Self::Text => "text",
            Self::Unknown => "a file of an unknown kind",
        };
        write!(out, "This is {what}")
    }
}

/// Where which bytes say what a file is.
const MAGIC: &[(usize, &[u8], Kind)] = &[
    (8, b"WAVE", Kind::Wav),
    (8, b"AIFF", Kind::Aiff),
    (8, b"AIFC", Kind::Aiff),
    (0, b"ID3", Kind::Mp3),
    (0, b"OggS", Kind::Ogg),
    (0, b"fLaC", Kind::Flac),
    (4, b"ftyp", Kind::Mp4),
    (0, b"\x1a\x45\xdf\xa3", Kind::Matroska),
    (0, b"MThd", Kind::Midi),
    (0, b"#!AMR", Kind::Amr),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Kind::WindowsMedia),
    (0, b"\x89PNG", Kind::Picture),
    (0, b"\xff\xd8\xff", Kind::Picture),
    (0, b"GIF8", Kind::Picture),
    (0, b"BM", Kind::Picture),
    (8, b"WEBP", Kind::Picture),
    (0, b"%PDF", Kind::Pdf),
    (0, b"PK\x03\x04", Kind::Archive),
    (0, b"\x1f\x8b", Kind::Archive),
    (0, b"7z\xbc\xaf\x27\x1c", Kind::Archive),
    (0, b"Rar!", Kind::Archive),
    (0, b"\x7fELF", Kind::Text),
    (0, b"MZ", Kind::Text),
];

/// How much of a file is looked at.
const TEXT_BYTES: usize = 512;

fn is_text(file: &[u8]) -> bool {
    let beginning = file.get(..TEXT_BYTES).unwrap_or(file);
    let is_printed = |byte: &u8| *byte >= b' ' || matches!(byte, b'\t' | b'\n' | b'\r');
    // A character may be cut at the end of what is looked at.
    let is_utf8 = match std::str::from_utf8(beginning) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    is_utf8 && beginning.iter().all(is_printed)
}
