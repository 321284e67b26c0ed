//! Secrets at rest: sealed with a key that lies beside the database, readable by its owner alone.
//!
//! A document holds what must be sent to others (trunk passwords, webhook tokens), so a copy of the
//! database, or a backup of it, must not be enough to read them.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

/// Bytes of the key.
const KEY_LEN: usize = 32;
/// First byte of what is sealed in this way.
const FORMAT: u8 = 1;

/// What is sealed. It is bound into the seal, so that one thing does not pass for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// An account's document.
    Document,
    /// Where a delivery goes.
    Destination,
}

impl Purpose {
    const fn bytes(self) -> &'static [u8] {
        match self {
            Self::Document => b"switchhook account document",
            Self::Destination => b"switchhook delivery destination",
        }
    }
}

/// Seals and opens with the key of one data folder.
pub struct Seal {
    key: LessSafeKey,
    random: SystemRandom,
}

/// Why a key or a document cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The key file.
    #[error("cannot use the key file {}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others may read it.
    #[error("{} can be read by others: make it its owner's alone (chmod 600)", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// It is not what we wrote.
    #[error("{} does not hold a key of {KEY_LEN} bytes", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// It was sealed with another key, for another purpose, or is damaged.
    #[error("the seal does not open: it was made with another key, or the document is damaged")]
    Closed,
    /// The system gave no random numbers.
    #[error("the system gave no random numbers")]
    NoRandomness,
}

impl Seal {
    /// The seal with the key at `path`, which is made at the first start, for its owner alone.
    pub fn open_or_create(path: &Path) -> Result<Self, SealError> {
        let random = SystemRandom::new();
        let key = match create(path, &random)? {
            Some(key) => key,
            None => read(path)?,
        };
        let key = UnboundKey::new(&CHACHA20_POLY1305, &key).expect("the key has the right length");
        Ok(Self {
            key: LessSafeKey::new(key),
            random,
        })
    }

    /// Seals what is for this purpose.
    pub fn seal(&self, purpose: Purpose, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_LEN];
        self.random
            .fill(&mut nonce)
            .map_err(|_| SealError::NoRandomness)?;
        let mut sealed = plain.to_vec();
        // A random nonce of 96 bits does not meet itself again among documents and deliveries.
        let nonce_used = Nonce::assume_unique_for_key(nonce);
        self.key
            .seal_in_place_append_tag(nonce_used, Aad::from(purpose.bytes()), &mut sealed)
            .expect("nothing we seal comes near the cipher's limit of 256 GB");
        Ok([&[FORMAT][..], &nonce, &sealed].concat())
    }

    /// Opens what [`Seal::seal`] made for the same purpose.
    pub fn open(&self, purpose: Purpose, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let rest = sealed.strip_prefix(&[FORMAT]).ok_or(SealError::Closed)?;
        let (nonce, document) = rest.split_first_chunk().ok_or(SealError::Closed)?;
        let mut document = document.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self
            .key
            .open_in_place(nonce, Aad::from(purpose.bytes()), &mut document);
        let length = opened.map_err(|_| SealError::Closed)?.len();
        document.truncate(length);
        Ok(document)
    }
}

/// Makes the key file, unless there is one.
fn create(path: &Path, random: &SystemRandom) -> Result<Option<[u8; KEY_LEN]>, SealError> {
    let failed = |source| SealError::KeyFile {
        path: path.to_owned(),
        source,
    };
    let opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    let mut file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut key = [0; KEY_LEN];
    random.fill(&mut key).map_err(|_| SealError::NoRandomness)?;
    // On the disk before anything is sealed with it.
    file.write_all(&key)
        .and_then(|()| file.sync_all())
        .map_err(failed)?;
    sync_folder(path).map_err(failed)?;
    Ok(Some(key))
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        Some(_) | None => Ok(()),
    }
}

fn read(path: &Path) -> Result<[u8; KEY_LEN], SealError> {
    let failed = |source| SealError::KeyFile {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.mode() & 0o077 != 0 {
        return Err(SealError::Exposed {
            path: path.to_owned(),
        });
    }
    let mut key = Vec::new();
    let limit = u64::try_from(KEY_LEN + 1).unwrap_or(u64::MAX);
    file.take(limit).read_to_end(&mut key).map_err(failed)?;
    key.try_into().map_err(|_| SealError::NoKey {
        path: path.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_key_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        let sealed = Seal::open_or_create(&path)
            .unwrap()
            .seal(Purpose::Document, b"document")
            .unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let again = Seal::open_or_create(&path).unwrap();
        assert_eq!(again.open(Purpose::Document, &sealed).unwrap(), b"document");
        assert_ne!(
            again.seal(Purpose::Document, b"document").unwrap(),
            sealed,
            "a new nonce each time"
        );
    }

    #[test]
    fn what_was_touched_or_sealed_elsewhere_does_not_open() {
        let folder = tempfile::tempdir().unwrap();
        let seal = Seal::open_or_create(&folder.path().join("a")).unwrap();
        let other = Seal::open_or_create(&folder.path().join("b")).unwrap();
        let document = Purpose::Document;
        let sealed = seal.seal(document, b"document").unwrap();
        assert!(matches!(
            other.open(document, &sealed),
            Err(SealError::Closed)
        ));
        let passes = seal.open(Purpose::Destination, &sealed);
        assert!(matches!(passes, Err(SealError::Closed)));
        for index in 0..sealed.len() {
            let mut touched = sealed.clone();
            touched[index] ^= 1;
            assert!(
                matches!(seal.open(document, &touched), Err(SealError::Closed)),
                "{index}"
            );
            assert!(
                matches!(
                    seal.open(document, &sealed[..index]),
                    Err(SealError::Closed)
                ),
                "{index}"
            );
        }
        let empty = seal.seal(document, b"").unwrap();
        assert_eq!(seal.open(document, &empty).unwrap(), b"");
    }

    #[test]
    fn a_key_that_others_can_read_or_that_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        Seal::open_or_create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            Seal::open_or_create(&path),
            Err(SealError::Exposed { .. })
        ));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for length in [0, KEY_LEN - 1, KEY_LEN + 1, 1_000] {
            fs::write(&path, vec![0; length]).unwrap();
            assert!(
                matches!(Seal::open_or_create(&path), Err(SealError::NoKey { .. })),
                "{length}"
            );
        }
        let nowhere = folder.path().join("no/key");
        assert!(matches!(
            Seal::open_or_create(&nowhere),
            Err(SealError::KeyFile { .. })
        ));
    }
}
