//! A keyed hash for table keys, and randomness drawn from it: SipHash-2-4 with 128 bits of output.
//!
//! The key is secret, so no peer can choose messages whose keys collide, and tags and branches
//! cannot be guessed from earlier ones. The seed decides everything: a run can be replayed.

/// The secret of one node.
#[derive(Clone, Copy)]
pub(crate) struct HashKey(u64, u64);

impl HashKey {
    /// A key spread from a seed (`purpose` tells keys of one seed apart).
    pub(crate) fn from_seed(seed: u64, purpose: u64) -> Self {
        let seeded = Self(seed, purpose);
        let spread = seeded.hash(&[b"switchhook"]);
        Self(high(spread), low(spread))
    }

    /// The hash of several parts; each part ends, so that `["ab", "c"]` is not `["a", "bc"]`.
    pub(crate) fn hash(self, parts: &[&[u8]]) -> u128 {
        let mut state = State::new(self);
        for part in parts {
            let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
            state.compress(length);
            state.absorb(part);
        }
        state.finish()
    }
}

/// Numbers nobody outside can foresee: the hash of a counter.
pub(crate) struct Random {
    key: HashKey,
    drawn: u64,
}

impl Random {
    /// The sequence of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            key: HashKey::from_seed(seed, 1),
            drawn: 0,
        }
    }

    /// The next 128 bits.
    pub(crate) fn wide(&mut self) -> u128 {
        self.drawn = self.drawn.wrapping_add(1);
        self.key.hash(&[&self.drawn.to_le_bytes()])
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        low(self.wide())
    }

    /// A number below `limit`, or zero when the limit is zero.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next().checked_rem(limit).unwrap_or(0)
    }
}

fn low(wide: u128) -> u64 {
    u64::try_from(wide & u128::from(u64::MAX)).unwrap_or(u64::MAX)
}

fn high(wide: u128) -> u64 {
    low(wide >> 64)
}

/// The four words of the hash.
struct State {
    v0: u64,
    v1: u64,
    v2: u64,
    v3: u64,
    length: u64,
}

impl State {
    fn new(key: HashKey) -> Self {
        Self {
            v0: key.0 ^ 0x736f_6d65_7073_6575,
            v1: key.1 ^ 0x646f_7261_6e64_6f6d ^ 0xee,
            v2: key.0 ^ 0x6c79_6765_6e65_7261,
            v3: key.1 ^ 0x7465_6462_7974_6573,
            length: 0,
        }
    }

    fn round(&mut self) {
        self.v0 = self.v0.wrapping_add(self.v1);
        self.v1 = self.v1.rotate_left(13) ^ self.v0;
        self.v0 = self.v0.rotate_left(32);
        self.v2 = self.v2.wrapping_add(self.v3);
        self.v3 = self.v3.rotate_left(16) ^ self.v2;
        self.v0 = self.v0.wrapping_add(self.v3);
        self.v3 = self.v3.rotate_left(21) ^ self.v0;
        self.v2 = self.v2.wrapping_add(self.v1);
        self.v1 = self.v1.rotate_left(17) ^ self.v2;
        self.v2 = self.v2.rotate_left(32);
    }

    fn compress(&mut self, word: u64) {
        self.v3 ^= word;
        self.round();
        self.round();
        self.v0 ^= word;
        self.length = self.length.wrapping_add(8);
    }

    /// Whole words, the last one filled with zeros: the length went before.
    fn absorb(&mut self, part: &[u8]) {
        let (words, rest) = part.as_chunks::<8>();
        for word in words {
            self.compress(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut last = [0; 8];
            last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            self.compress(u64::from_le_bytes(last));
        }
    }

    fn finish(mut self) -> u128 {
        let length_byte = (self.length & 0xff) << 56;
        self.compress(length_byte);
        self.v2 ^= 0xee;
        let first = self.squeeze();
        self.v1 ^= 0xdd;
        let second = self.squeeze();
        u128::from(first) | (u128::from(second) << 64)
    }

    fn squeeze(&mut self) -> u64 {
        for _ in 0..4 {
            self.round();
        }
        self.v0 ^ self.v1 ^ self.v2 ^ self.v3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The authors' test vectors: key 00…0f, no input and the inputs 00…07 of eight bytes.
    #[test]
    fn agrees_with_the_published_vectors() {
        let key = HashKey(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
        assert_eq!(
            State::new(key).finish().to_le_bytes(),
            [
                0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55,
                0x02, 0x93
            ]
        );
        let mut state = State::new(key);
        state.absorb(&[0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(
            state.finish().to_le_bytes(),
            [
                0x3b, 0x62, 0xa9, 0xba, 0x62, 0x58, 0xf5, 0x61, 0x0f, 0x83, 0xe2, 0x64, 0xf3, 0x14,
                0x97, 0xb4
            ]
        );
    }

    #[test]
    fn parts_do_not_run_together() {
        let key = HashKey::from_seed(7, 0);
        assert_ne!(key.hash(&[b"ab", b"c"]), key.hash(&[b"a", b"bc"]));
        assert_ne!(key.hash(&[b"ab"]), key.hash(&[b"ab\0"]));
        assert_ne!(key.hash(&[b"ab"]), HashKey::from_seed(8, 0).hash(&[b"ab"]));
    }

    #[test]
    fn a_seed_decides_the_sequence() {
        let draw = |seed| {
            let mut random = Random::new(seed);
            [random.next(), random.next(), random.next()]
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        let [first, second, _] = draw(1);
        assert_ne!(first, second);
    }

    #[test]
    fn below_stays_below() {
        let mut random = Random::new(3);
        assert!((0..1_000).all(|_| random.below(10) < 10));
        assert_eq!(random.below(0), 0);
    }
}
