//! G.711: one byte per sample, logarithmic.

/// A µ-law byte as a linear sample.
pub fn ulaw_to_linear(byte: u8) -> i16 {
    ULAW.get(usize::from(byte)).copied().unwrap_or(0)
}

/// An A-law byte as a linear sample.
pub fn alaw_to_linear(byte: u8) -> i16 {
    ALAW.get(usize::from(byte)).copied().unwrap_or(0)
}

/// A linear sample as a µ-law byte.
pub fn linear_to_ulaw(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = sample.unsigned_abs().min(ULAW_CLIP) + ULAW_BIAS;
    !(sign | segments(magnitude))
}

/// A linear sample as an A-law byte.
pub fn linear_to_alaw(sample: i16) -> u8 {
    // Negative samples are mirrored around −½, not around zero.
    let (mask, magnitude) = if sample < 0 {
        (0x55, !sample)
    } else {
        (0xd5, sample)
    };
    let magnitude = magnitude.unsigned_abs();
    let code = if magnitude < 256 {
        low_byte(magnitude >> 4)
    } else {
        segments(magnitude)
    };
    code ^ mask
}

/// Added before the µ-law logarithm is taken, so that the first segment begins with a power of two.
const ULAW_BIAS: u16 = 0x84;
const ULAW_CLIP: u16 = 32_635;

/// The logarithm of a magnitude of at least 128: 3 bits for the segment and 4 within it.
fn segments(magnitude: u16) -> u8 {
    let segment = magnitude.ilog2().saturating_sub(7);
    let step = (magnitude >> (segment + 3)) & 0x0f;
    low_byte(u16::try_from(segment).unwrap_or(0) << 4 | step)
}

#[expect(clippy::cast_possible_truncation, reason = "the values have 7 bits")]
fn low_byte(value: u16) -> u8 {
    value as u8
}

static ULAW: [i16; 256] = table(Law::Mu);
static ALAW: [i16; 256] = table(Law::A);

#[derive(Clone, Copy)]
enum Law {
    Mu,
    A,
}

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "computed by the compiler, which would find both"
)]
const fn table(law: Law) -> [i16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match law {
            Law::Mu => ulaw(!(byte as u8)),
            Law::A => alaw(byte as u8 ^ 0x55),
        };
        byte += 1;
    }
    table
}

const fn ulaw(code: u8) -> i16 {
    let magnitude = (((code as i16 & 0x0f) << 3) + ULAW_BIAS.cast_signed()) << ((code & 0x70) >> 4);
    let magnitude = magnitude - ULAW_BIAS.cast_signed();
    if code & 0x80 == 0 {
        magnitude
    } else {
        -magnitude
    }
}

const fn alaw(code: u8) -> i16 {
    let step = (code as i16 & 0x0f) << 4;
    let magnitude = match (code & 0x70) >> 4 {
        0 => step + 8,
        segment => (step + 0x108) << (segment - 1),
    };
    if code & 0x80 == 0 {
        -magnitude
    } else {
        magnitude
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives() {
        for byte in 0..=255 {
            assert_eq!(linear_to_alaw(alaw_to_linear(byte)), byte);
            // µ-law has two zeros.
            let expect = if byte == 0x7f { 0xff } else { byte };
            assert_eq!(linear_to_ulaw(ulaw_to_linear(byte)), expect);
        }
    }

    /// Values of ITU-T G.711, tables 1a to 2b, scaled to 16 bits.
    #[test]
    fn known_values() {
        for (byte, linear) in [
            (0xff, 0),
            (0x80, 32_124),
            (0x00, -32_124),
            (0xfe, 8),
            (0xce, 988),
        ] {
            assert_eq!(ulaw_to_linear(byte), linear, "µ-law {byte:#x}");
        }
        for (byte, linear) in [(0xd5, 8), (0x55, -8), (0xaa, 32_256), (0x2a, -32_256)] {
            assert_eq!(alaw_to_linear(byte), linear, "A-law {byte:#x}");
        }
    }

    /// Sums over all bytes, each value weighted by its byte, as another implementation has them.
    #[test]
    fn tables_are_those_of_others() {
        let weighted = |linear: fn(u8) -> i16| {
            let values = (0..=255).map(|byte| i32::from(byte) * i32::from(linear(byte)));
            values.sum::<i32>()
        };
        assert_eq!(weighted(ulaw_to_linear), 98_107_392);
        assert_eq!(weighted(alaw_to_linear), 100_139_008);
    }

    #[test]
    fn every_sample_comes_near() {
        for sample in i16::MIN..=i16::MAX {
            for (name, there_and_back) in [
                ("µ-law", ulaw_to_linear(linear_to_ulaw(sample))),
                ("A-law", alaw_to_linear(linear_to_alaw(sample))),
            ] {
                let error = (i32::from(there_and_back) - i32::from(sample)).abs();
                let allowed = 16 + i32::from(sample).abs() / 32;
                assert!(
                    error <= allowed.max(8),
                    "{name} {sample} → {there_and_back}"
                );
            }
        }
    }
}
