//! Call flows: objects, their exits, and what can be said of the whole without running it.

use std::collections::{BTreeMap, BTreeSet};

use super::compile::Compiler;
use super::document::{Flow, Object};
use super::text::{is_word, nearest};
use crate::objects::{self, AnyObject, Kind, Pace, Palette, Shape};
use crate::plan::{Node, NodeIndex};

/// Objects of one flow: more cannot be drawn or understood.
const MAX_OBJECTS_PER_FLOW: usize = 500;

/// An object while its flow is put together, whatever is wrong with it.
struct Site<'a> {
    path: String,
    object: &'a Object,
    kind: Option<&'static Kind>,
    /// Where it stands in the plan, if it compiled.
    node: Option<NodeIndex>,
}

/// The flow as a graph: for each object, where its exits lead.
type Graph = Vec<Vec<Edge>>;

#[derive(Clone, Copy)]
struct Edge {
    target: usize,
    pace: Pace,
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
            let graph = self.join(&sites, &mut nodes);
            self.unreachable(&sites, &graph);
            self.dead_ends(&sites);
            self.circles(&sites, &graph);
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
            let kind = self.kind(&path, &object.kind);
            self.object_place = format!("{}/{}", flow.id, object.id);
            self.object_name = if object.name.is_empty() {
                self.object_place.clone()
            } else {
                object.name.clone()
            };
            let node = kind.and_then(|kind| self.object(&path, kind, object, nodes));
            sites.push(Site {
                path,
                object,
                kind,
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
        for field in kind.fields.iter().filter(|field| field.shape == Shape::Url) {
            let url = object.settings.get(field.name).and_then(|url| url.as_str());
            let path = format!("{settings_path}.{}", field.name);
            self.urls.extend(url.map(|url| (path, url.into())));
        }
        self.settings_path = settings_path;
        self.node = NodeIndex(nodes.len());
        let settings = serde_json::Value::Object(object.settings.clone());
        let compiled = AnyObject::compile(kind.name, settings, self)?;
        let own = objects::own_exits(kind.fields, &object.settings);
        nodes.push(Node::unwired(compiled).with_own_exits(&own));
        Some(self.node)
    }

    /// Leads every exit to its target.
    fn join(&mut self, sites: &[Site<'_>], nodes: &mut [Node]) -> Graph {
        let places: BTreeMap<&str, usize> = sites
            .iter()
            .enumerate()
            .map(|(place, site)| (&*site.object.id, place))
            .collect();
        let mut graph = Vec::with_capacity(sites.len());
        for site in sites {
            let mut edges = Vec::new();
            for (exit, target) in &site.object.exits {
                let Some(pace) = self.exit(site, exit) else {
                    continue;
                };
                let Some(place) = places.get(target.as_str()).copied() else {
                    let path = format!("{}.exits.{exit}", site.path);
                    self.error(path, no_such_object(&places, target));
                    continue;
                };
                edges.push(Edge {
                    target: place,
                    pace,
                });
                let to = sites.get(place).and_then(|site| site.node);
                lead(nodes, site.node, exit, to);
            }
            graph.push(edges);
        }
        graph
    }

    /// The pace of that exit. An object of unknown kind may have any exit: it has its problem.
    fn exit(&mut self, site: &Site<'_>, exit: &str) -> Option<Pace> {
        let Some(kind) = site.kind else {
            return Some(Pace::AfterWaiting);
        };
        if let Some(known) = kind.exits.iter().find(|known| known.name == exit) {
            return Some(known.pace);
        }
        let own = objects::own_exits(kind.fields, &site.object.settings);
        if own.contains(exit) {
            return Some(Pace::AtOnce);
        }
        self.error(
            format!("{}.exits.{exit}", site.path),
            unknown_exit(kind, &own, exit),
        );
        None
    }

    fn unreachable(&mut self, sites: &[Site<'_>], graph: &Graph) {
        let is_entry = |site: &Site<'_>| site.kind.is_some_and(|k| k.palette == Palette::Entry);
        let entries = (0..)
            .zip(sites)
            .filter(|(_, site)| is_entry(site))
            .map(|(place, _)| place);
        let reached = reach(graph, entries.collect(), |_| true);
        for (place, site) in sites.iter().enumerate() {
            if !is_entry(site) && !reached.contains(&place) {
                self.warning(
                    site.path.as_str(),
                    "cannot be reached from any inbound number: lead an exit here or take it out",
                );
            }
        }
    }

    /// An exit that leads nowhere ends the call. A key that leads nowhere is none.
    fn dead_ends(&mut self, sites: &[Site<'_>]) {
        for Site {
            path, object, kind, ..
        } in sites
        {
            let Some(kind) = kind else {
                continue;
            };
            let exits = kind.exits.iter().filter(|exit| !exit.is_optional());
            let own = objects::own_exits(kind.fields, &object.settings);
            let exits = exits.map(|exit| exit.name).chain(own);
            let dead: Vec<String> = exits
                .filter(|exit| !object.exits.contains_key(*exit))
                .map(|exit| format!("`{exit}`"))
                .collect();
            if !dead.is_empty() {
                let rule = format!(
                    "has nothing for {}, where the call ends: lead it on, or to an object that \
                     hangs up",
                    dead.join(", ")
                );
                self.warning(format!("{path}.exits"), rule);
            }
        }
    }

    /// A circle of exits that can all be taken at once would turn for ever.
    fn circles(&mut self, sites: &[Site<'_>], graph: &Graph) {
        let at_once = |edge: &Edge| edge.pace == Pace::AtOnce;
        for (place, site) in sites.iter().enumerate() {
            let first = edges(graph, place).iter().filter(|edge| at_once(edge));
            let reached = reach(graph, first.map(|edge| edge.target).collect(), at_once);
            if reached.contains(&place) {
                self.error(
                    site.path.as_str(),
                    "is in a circle that a call could run round without ever waiting: lead one \
                     of its exits elsewhere",
                );
            }
        }
    }
}

fn edges(graph: &Graph, place: usize) -> &[Edge] {
    graph.get(place).map(Vec::as_slice).unwrap_or_default()
}

/// Everything that can be come to from `open` by the wanted edges, `open` itself too.
fn reach(graph: &Graph, mut open: Vec<usize>, wanted: impl Fn(&Edge) -> bool) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    while let Some(place) = open.pop() {
        if reached.insert(place) {
            open.extend(
                edges(graph, place)
                    .iter()
                    .filter(|e| wanted(e))
                    .map(|edge| edge.target),
            );
        }
    }
    reached
}

fn lead(nodes: &mut [Node], from: Option<NodeIndex>, exit: &str, to: Option<NodeIndex>) {
    let node = from.and_then(|from| nodes.get_mut(from.0));
    let exit = node.and_then(|node| node.exits.iter_mut().find(|known| known.name == exit));
    if let Some(exit) = exit {
        exit.target = to;
    }
}

fn unknown_exit(kind: &Kind, own: &BTreeSet<&str>, exit: &str) -> String {
    let names = kind.exits.iter().map(|exit| exit.name);
    let names: Vec<&str> = names.chain(own.iter().copied()).collect();
    if names.is_empty() {
        return format!("`{exit}` is no exit of {}, which has none", kind.name);
    }
    format!(
        "`{exit}` is no exit of {}, which has: {}",
        kind.name,
        names.join(", ")
    )
}

fn no_such_object(places: &BTreeMap<&str, usize>, target: &str) -> String {
    let ids: Vec<&str> = places.keys().copied().collect();
    match nearest(target, &ids) {
        Some(near) => {
            format!("leads to `{target}`, which is not in this flow; `{near}` may be meant")
        }
        None => format!("leads to `{target}`, which is not in this flow: lead it to one that is"),
    }
}
