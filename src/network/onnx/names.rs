//! Layers' names, as the framework named them.

use std::collections::{HashMap, HashSet};

use super::messages::NodeProto;
use crate::network::{IMAGE, MAX_NAME, usable_name};

/// Where PyTorch's newer exporter keeps the modules that a node is in.
const SCOPES: &str = "pkg.torch.onnx.name_scopes";

/// Endings of the names of weights, in several frameworks.
const WEIGHTS: [&str; 6] = [".weight", "_w_0", "/kernel:0", "/kernel", "_weight", "_W"];

/// The name that each node would have alone.
///
/// - A convolution is named as its weight, `layer1.0.conv1.weight`, where that has a module's name; a
///   padding in its module is another node with the operation's name behind.
/// - Another node is named as the module that it is alone in: `layer1.0.relu`; where the module is
///   used again, `layer1.0.relu_1` and so on. A node in a module with others has the operation's name
///   behind the module's: `layer1.0.add`.
/// - Where nothing is known of modules: by the node's own name, or by its first output's.
///
/// `/` becomes `.`. Each can be a layer's.
fn required(nodes: &[&NodeProto]) -> Vec<String> {
    let path = |node: &&NodeProto| {
        // No name is so long; each of its parts would be looked at.
        weight_module(node).or_else(|| module(node)).filter(|path| path.len() <= MAX_NAME)
    };
    let paths: Vec<Option<String>> = nodes.iter().map(path).collect();
    let modules = Modules::of(nodes, &paths);
    nodes
        .iter()
        .zip(&paths)
        .enumerate()
        .map(|(index, (node, path))| {
            let name = match path {
                Some(path) if !path.is_empty() && modules.is_of(path, node) => path.clone(),
                Some(path) => join(path, &node.op_type.to_lowercase()),
                None => own_name(node),
            };
            let name = name.trim_matches('/').replace('/', ".");
            let usable = usable_name(&name) && name != IMAGE;
            if usable { name } else { format!("node{index}") }
        })
        .collect()
}

/// Of each node, whether it may compute something of the image: not of constants that nodes make.
fn computed<'a>(nodes: &[&'a NodeProto]) -> Vec<bool> {
    let mut constants: HashSet<&'a str> = HashSet::new();
    let mut computed = Vec::with_capacity(nodes.len());
    for &node in nodes {
        let mut inputs = node.input.iter().filter(|name| !name.is_empty());
        let of_constants = match node.op_type.as_str() {
            "Constant" | "ConstantOfShape" => true,
            _ => !node.input.is_empty() && inputs.all(|name| constants.contains(&**name)),
        };
        if of_constants {
            constants.extend(node.output.iter().map(String::as_str));
        }
        computed.push(!of_constants);
    }
    computed
}

/// The module of a convolution, by its weight's name.
fn weight_module(node: &NodeProto) -> Option<String> {
    let weight = node.input(1).filter(|_| node.op_type == "Conv")?;
    let module = WEIGHTS.iter().find_map(|ending| weight.strip_suffix(ending))?;
    // Names such as `onnx::Conv_208` are the exporter's own.
    (!module.is_empty() && !module.contains("::")).then(|| module.to_owned())
}

/// The module that a node is in, by what PyTorch's exporters tell: a list of scopes with the
/// function's name last, or a path with the operation's name last.
fn module(node: &NodeProto) -> Option<String> {
    if let Some(entry) = node.metadata_props.iter().find(|entry| entry.key == SCOPES) {
        let scopes: Vec<&str> = entry.value.split('\'').skip(1).step_by(2).collect();
        return scopes.iter().rev().nth(1).map(|&module| module.to_owned());
    }
    let path = node.name.strip_prefix('/')?;
    let (scopes, _) = path.rsplit_once('/').unwrap_or(("", path));
    // A module of a container has the container's name before its own.
    let mut modules: Vec<&str> = Vec::new();
    for scope in scopes.split('/').filter(|scope| !scope.is_empty()) {
        modules
            .pop_if(|last| scope.strip_prefix(&**last).is_some_and(|rest| rest.starts_with('.')));
        modules.push(scope);
    }
    Some(modules.join("."))
}

/// A name of a node of which no module is known.
fn own_name(node: &NodeProto) -> String {
    let output = node.output.first().map_or("", String::as_str);
    if node.name.is_empty() { output.to_owned() } else { node.name.clone() }
}

fn join(module: &str, name: &str) -> String {
    if module.is_empty() { name.to_owned() } else { format!("{module}.{name}") }
}

/// The contents of each module.
struct Modules<'a> {
    /// The kind of operation in it, where there is only one; and whether it has modules in it.
    found: HashMap<&'a str, (Option<&'a str>, bool)>,
}

impl<'a> Modules<'a> {
    fn of(nodes: &[&'a NodeProto], paths: &'a [Option<String>]) -> Self {
        let mut found: HashMap<&str, (Option<&str>, bool)> = HashMap::new();
        let computed = computed(nodes);
        for ((node, path), computed) in nodes.iter().zip(paths).zip(computed) {
            let (Some(path), true) = (path, computed) else { continue };
            let kind = node.op_type.as_str();
            found
                .entry(path)
                .and_modify(|(known, _)| *known = known.and_then(|known| both(known, kind)))
                .or_insert((Some(kind), false));
            let mut inner = path.as_str();
            while let Some((outer, _)) = inner.rsplit_once('.') {
                let (_, has_modules) = found.entry(outer).or_insert((None, false));
                if std::mem::replace(has_modules, true) {
                    // Its own outer modules are marked already.
                    break;
                }
                inner = outer;
            }
        }
        Self { found }
    }

    /// Whether a module has nothing in it but uses of a node's operation, and what pads its input.
    fn is_of(&self, path: &str, node: &NodeProto) -> bool {
        matches!(self.found.get(path), Some((Some(kind), false)) if *kind == node.op_type)
    }
}

/// The kind of a module in which there are operations of two.
fn both<'a>(one: &'a str, other: &'a str) -> Option<&'a str> {
    match (one, other) {
        _ if one == other => Some(one),
        ("Pad", "Conv") | ("Conv", "Pad") => Some("Conv"),
        _ => None,
    }
}

/// A name for each node, by its index; all of them different.
pub(super) struct Names {
    of_nodes: Vec<String>,
    taken: HashSet<String>,
    /// The last number behind a name.
    numbers: HashMap<String, usize>,
}

impl Names {
    /// The names of nodes. The first that would have a name has it; others have a number behind it.
    pub fn new(nodes: &[&NodeProto]) -> Self {
        let of_nodes = required(nodes);
        let mut taken = HashSet::new();
        let first: Vec<bool> = of_nodes.iter().map(|name| taken.insert(name.clone())).collect();
        let mut names = Self { of_nodes, taken, numbers: HashMap::new() };
        for index in (0..first.len()).filter(|&index| !first[index]) {
            names.of_nodes[index] = names.unique(names.of_nodes[index].clone());
        }
        names
    }

    /// The name of a node.
    pub fn of(&self, node: usize) -> &str {
        &self.of_nodes[node]
    }

    /// A name of a layer of a node that becomes several; asked for once for each.
    pub fn of_part(&mut self, node: usize, part: usize) -> String {
        let name = self.of(node);
        if part == 0 { name.to_owned() } else { self.unique(format!("{name}.{part}")) }
    }

    /// The name, or where it is taken one with a number behind it.
    fn unique(&mut self, name: String) -> String {
        if self.taken.insert(name.clone()) {
            return name;
        }
        let number = self.numbers.entry(name.clone()).or_insert(0);
        loop {
            *number += 1;
            let unique = format!("{name}_{number}");
            if self.taken.insert(unique.clone()) {
                return unique;
            }
        }
    }
}
