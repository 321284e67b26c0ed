//! Tells xtask which machine it was built for.

fn main() {
    let host = std::env::var("TARGET").expect("Cargo sets TARGET for build scripts");
    println!("cargo::rustc-env=XTASK_HOST={host}");
    println!("cargo::rerun-if-changed=build.rs");
}
