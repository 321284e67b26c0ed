//! Takes the prompts of every language into the program: a folder of `prompts/` with a `prompts.tsv` is
//! a language, and the sound of a line is the file named by its id.
#![expect(
    clippy::disallowed_methods,
    reason = "a build script is not part of the pure crate"
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root =
        Path::new(&env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?).join("prompts");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut folders: Vec<PathBuf> = fs::read_dir(&root)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()?;
    folders.retain(|folder| folder.join("prompts.tsv").exists());
    folders.sort();
    let mut code = "&[\n".to_owned();
    for folder in folders {
        language(&folder, &mut code)?;
    }
    code.push(']');
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("prompts.rs"), code)
}

/// Writes `("en", &[("id", "where used", "words", include_bytes!("file")), …]),`.
fn language(folder: &Path, code: &mut String) -> io::Result<()> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    writeln!(code, "({name:?}, &[").map_err(io::Error::other)?;
    let table = fs::read_to_string(folder.join("prompts.tsv"))?;
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [id, used, words] = fields.as_slice() else {
            let what = format!("{}: a line has three fields: {line}", folder.display());
            return Err(io::Error::other(what));
        };
        let file = folder.join(format!("{id}.mp3"));
        let file = file.to_string_lossy();
        let row = format!("({id:?}, {used:?}, {words:?}, include_bytes!({file:?})),");
        writeln!(code, "{row}").map_err(io::Error::other)?;
    }
    writeln!(code, "]),").map_err(io::Error::other)
}
