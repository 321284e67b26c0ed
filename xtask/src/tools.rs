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
    let missing = missing(is_installed);
    let Some(wants) = told(&missing) else {
        return Ok(());
    };
    if !is_installed("apt-get") {
        bail!("missing: {wants}; they are packaged for Debian under these names");
    }
    if !is_root() {
        let packages = packages(&missing).join(" ");
        bail!("missing: {wants}; run this as root, or: sudo apt-get install {packages}");
    }
    println!("installing {wants}");
    install(&missing)?;
    match told(&self::missing(is_installed)) {
        None => Ok(()),
        Some(wants) => bail!("installed, but not on the path: {wants}"),
    }
}

fn missing(is_installed: impl Fn(&str) -> bool) -> Vec<&'static Tool> {
    let tools = TOOLS.iter();
    tools.filter(|tool| !is_installed(tool.program)).collect()
}

/// The tools in words, if there are any.
fn told(tools: &[&Tool]) -> Option<String> {
    let words = tools.iter().map(|tool| {
        let Tool {
            program,
            package,
            purpose,
        } = tool;
        format!("{program} (package {package}: {purpose})")
    });
    let words: Vec<String> = words.collect();
    (!words.is_empty()).then(|| words.join(", "))
}

fn packages(tools: &[&Tool]) -> Vec<&'static str> {
    tools.iter().map(|tool| tool.package).collect()
}

fn install(tools: &[&Tool]) -> Result<()> {
    let apt = |arguments: &[&str]| {
        let mut apt = command(&["apt-get", "-qq", "-o", "Acquire::Retries=3"]);
        apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        apt
    };
    check(apt(&["update"]))?;
    let mut install = apt(&["install", "-y", "--no-install-recommends"]);
    install.args(packages(tools));
    check(install)
}

fn is_root() -> bool {
    output(command(&["id", "-u"])).is_ok_and(|id| id.trim() == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_is_wanted() {
        let with =
            |installed: &'static [&str]| told(&missing(|program| installed.contains(&program)));
        assert_eq!(with(&["sipp", "baresip", "g++"]), None);
        assert_eq!(
            with(&["g++", "baresip"]).as_deref(),
            Some("sipp (package sip-tester: plays phones and carriers)")
        );
        assert_eq!(
            packages(&missing(|_| false)),
            ["sip-tester", "baresip-core", "g++"]
        );
    }
}
