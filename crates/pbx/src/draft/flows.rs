//! Call flows: objects, their exits, and what can be said of the whole without running it.

use std::collections::{BTreeMap, BTreeSet};

use super::compile::Compiler;
use super::document::{Flow, Object};
use super::text::{is_word, nearest};
use crate::objects::{self, AnyObject, Kind, Pace, Palette};
use crate::plan::{Node, NodeExit, NodeIndex};

/// Objects of one flow: more cannot be drawn or understood.
const MAX_OBJECTS_PER_FLOW: usize = 500;

/// An object while its flow is put together.
struct Site<'a> {
    path: String,
    kind: &'static Kind,
    object: &'a Object,
    /// Where it stands in the plan, if it compiled.
    node: Option<NodeIndex>,
}

impl Compiler<'_> {
    /// The objects of every flow, joined.
    pub(super) fn flows(&mut self) -> Vec<Node> {
        let draft = self.draft;
        let mut nodes = Vec::new();
        let mut ids = BTreeMap::new();
        for (index, flow) in draft.flows.iter().enumerate() {
            let path = format!("flows[{index}]");
            self.id(&format!("{path}.id"), &flow.id, &mut ids);
            let sites = self.sites(&path, flow, &mut nodes);
            self.join(&sites, &mut nodes);
            self.unreachable(&sites, &nodes);
            self.circles(&sites, &nodes);
        }
        nodes
    }

    fn sites<'f>(&mut self, path: &str, flow: &'f Flow, nodes: &mut Vec<Node>) -> Vec<Site<'f>> {
        if flow.objects.len() > MAX_OBJECTS_PER_FLOW {
            self.error(
                format!("{path}.objects"),
                format!("has more than {MAX_OBJECTS_PER_FLOW} objects: split the flow"),
            );
        }
        let mut ids = BTreeMap::new();
        let mut sites = Vec::new();
        for (index, object) in flow.objects.iter().enumerate() {
            let path = format!("{path}.objects[{index}]");
            self.id(&format!("{path}.id"), &object.id, &mut ids);
            let Some(kind) = self.kind(&path, &object.kind) else {
                continue;
            };
            let node = self.object(&path, kind, object, nodes);
            sites.push(Site {
                path,
                kind,
                object,
                node,
            });
        }
        sites
    }

    fn id(&mut self, path: &str, id: &str, seen: &mut BTreeMap<String, String>) {
        let allowed = |char: char| char.is_ascii_alphanumeric() || "-_".contains(char);
        if !is_word(id, 64, allowed) {
            self.error(
                path,
                "must be 1 to 64 of the characters A-Z, a-z, 0-9, `-` and `_`",
            );
        }
        self.unique(path, id, seen, "id");
    }

    fn kind(&mut self, path: &str, name: &str) -> Option<&'static Kind> {
        let kind = objects::kind(name);
        if kind.is_none() {
            let known: Vec<&str> = objects::offered().map(|kind| kind.name).collect();
            let hint = match nearest(name, &known) {
                Some(near) => format!("; `{near}` may be meant"),
                None => format!("; there are: {}", known.join(", ")),
            };
            self.error(
                format!("{path}.kind"),
                format!("`{name}` is no kind of object{hint}"),
            );
        }
        kind
    }

    fn object(
        &mut self,
        path: &str,
        kind: &Kind,
        object: &Object,
        nodes: &mut Vec<Node>,
    ) -> Option<NodeIndex> {
        let settings_path = format!("{path}.settings");
        let complaints = objects::complaints(kind.fields, &object.settings);
        let sound = complaints.is_empty();
        for (key, complaint) in complaints {
            self.error(format!("{settings_path}.{key}"), complaint);
        }
        if !sound {
            return None;
        }
        self.settings_path = settings_path;
        self.node = NodeIndex(nodes.len());
        let settings = serde_json::Value::Object(object.settings.clone());
        let compiled = AnyObject::compile(kind.name, settings, self)?;
        nodes.push(Node::unwired(compiled));
        Some(self.node)
    }

    /// Leads exits to their targets. Also of objects that did not compile, for their problems.
    fn join(&mut self, sites: &[Site<'_>], nodes: &mut [Node]) {
        for site in sites {
            for (exit, target) in &site.object.exits {
                let path = format!("{}.exits.{exit}", site.path);
                if !site.kind.exits.iter().any(|known| known.name == exit) {
                    let names: Vec<&str> = site.kind.exits.iter().map(|exit| exit.name).collect();
                    self.error(path, unknown_exit(site.kind, &names, exit));
                    continue;
                }
                let Some(to) = sites.iter().find(|site| site.object.id == *target) else {
                    self.error(path, no_such_object(sites, target));
                    continue;
                };
                let exit = site.node.and_then(|node| find_exit(nodes, node, exit));
                if let Some(exit) = exit {
                    exit.target = to.node;
                }
            }
        }
    }

    fn unreachable(&mut self, sites: &[Site<'_>], nodes: &[Node]) {
        let mut reached = BTreeSet::new();
        let entries = sites
            .iter()
            .filter(|site| site.kind.palette == Palette::Entry);
        let mut open: Vec<NodeIndex> = entries.filter_map(|site| site.node).collect();
        while let Some(node) = open.pop() {
            if reached.insert(node) {
                open.extend(targets(nodes, node, |_| true));
            }
        }
        for site in sites {
            if site.node.is_some_and(|node| !reached.contains(&node)) {
                self.warning(
                    site.path.as_str(),
                    "cannot be reached from any inbound number: lead an exit here or take it out",
                );
            }
        }
    }

    /// A circle of exits that can all be taken at once would turn for ever.
    fn circles(&mut self, sites: &[Site<'_>], nodes: &[Node]) {
        for site in sites {
            let Some(start) = site.node else { continue };
            let mut seen = BTreeSet::new();
            let mut open = targets(nodes, start, |exit| exit.pace == Pace::AtOnce);
            while let Some(node) = open.pop() {
                if seen.insert(node) {
                    open.extend(targets(nodes, node, |exit| exit.pace == Pace::AtOnce));
                }
            }
            if seen.contains(&start) {
                self.error(
                    site.path.as_str(),
                    "is in a circle that a call could run round without ever waiting: lead one \
                     of its exits elsewhere",
                );
            }
        }
    }
}

fn targets(nodes: &[Node], node: NodeIndex, wanted: fn(&NodeExit) -> bool) -> Vec<NodeIndex> {
    let exits = nodes
        .get(node.0)
        .map(|node| node.exits.as_slice())
        .unwrap_or_default();
    exits
        .iter()
        .filter(|exit| wanted(exit))
        .filter_map(|exit| exit.target)
        .collect()
}

fn find_exit<'n>(nodes: &'n mut [Node], node: NodeIndex, name: &str) -> Option<&'n mut NodeExit> {
    nodes
        .get_mut(node.0)?
        .exits
        .iter_mut()
        .find(|exit| exit.name == name)
}

fn unknown_exit(kind: &Kind, names: &[&str], exit: &str) -> String {
    if names.is_empty() {
        return format!("`{exit}` is no exit of {}, which has none", kind.name);
    }
    format!(
        "`{exit}` is no exit of {}, which has: {}",
        kind.name,
        names.join(", ")
    )
}

fn no_such_object(sites: &[Site<'_>], target: &str) -> String {
    let ids: Vec<&str> = sites.iter().map(|site| site.object.id.as_str()).collect();
    match nearest(target, &ids) {
        Some(near) => {
            format!("leads to `{target}`, which is not in this flow; `{near}` may be meant")
        }
        None => format!("leads to `{target}`, which is not in this flow: lead it to one that is"),
    }
}
