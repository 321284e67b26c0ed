//! The programs the tests need besides Cargo: installed on Debian as root, named otherwise.

use anyhow::{Result, bail};

use crate::command::{check, command, is_installed, output};

/// A program, the Debian package it comes in, and what needs it.
struct Tool {
    program: &'static str,
    package: &'static str,
    purpose: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool {
        program: "sipp",
        package: "sip-tester",
        purpose: "plays phones and carriers",
    },
    Tool {
        program: "baresip",
        package: "baresip-core",
        purpose: "is a phone that talks",
    },
    Tool {
        program: "g++",
        package: "g++",
        purpose: "links the fuzz targets",
    },
];

/// Makes sure that every tool is there.
pub(crate) fn ensure() -> Result<()> {
    let missing: Vec<&Tool> = TOOLS
        .iter()
        .filter(|tool| !is_installed(tool.program))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
    if !(is_root() && is_installed("apt-get")) {
        let wants = missing
            .iter()
            .map(|tool| format!("{} ({})", tool.program, tool.purpose));
        let wants = wants.collect::<Vec<_>>().join(", ");
        bail!(
            "missing: {wants}; on Debian: apt-get install {}",
            packages.join(" ")
        );
    }
    println!("installing {}", packages.join(" "));
    check(command(&["apt-get", "update", "-qq"]))?;
    let mut install = command(&["apt-get", "install", "-y", "-qq", "--no-install-recommends"]);
    install
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive");
    check(install)
}

fn is_root() -> bool {
    output(command(&["id", "-u"])).is_ok_and(|id| id.trim() == "0")
}
