//! Checks the documentation itself: each public type and function has an example that runs, each function that returns a
//! `Result` has an `# Errors` section, and each function that can panic has a `# Panics` section.
//!
//! Methods of trait implementations are exempt: the trait documents them.

use std::collections::HashSet;
use std::error::Error;
use std::fs;

use rustdoc_types::{Crate, Id, Item, ItemEnum, Type, Visibility};

/// The functions that can panic. rustdoc does not know them.
const PANICKING: [&str; 2] = ["Events::with_capacity", "Waker::new"];

/// Something that a page needs, counted over all pages that need it.
#[derive(Default)]
struct Count {
    needed: usize,
    missing: Vec<String>,
}

impl Count {
    fn needs(&mut self, name: &str, is_there: bool) {
        self.needed += 1;
        if !is_there {
            self.missing.push(name.to_owned());
        }
    }
}

#[derive(Default)]
struct Survey {
    /// Some items have several names, but only one page.
    visited: HashSet<Id>,
    functions_with_example: Count,
    types_with_example: Count,
    errors: Count,
    panics: Count,
}

/// Prints the counts and what is missing. Returns whether nothing is missing.
pub(crate) fn check(documentation: &str) -> Result<bool, Box<dyn Error>> {
    let documentation: Crate = serde_json::from_slice(&fs::read(documentation)?)?;
    let mut survey = Survey::default();
    survey.visit(&documentation, documentation.root, "");
    for (what, count) in [
        ("functions with an example that runs", &survey.functions_with_example),
        ("types with an example that runs", &survey.types_with_example),
        ("fallible functions with `# Errors`", &survey.errors),
        ("panicking functions with `# Panics`", &survey.panics),
    ] {
        println!("{what}: {} of {}", count.needed - count.missing.len(), count.needed);
        for name in &count.missing {
            eprintln!("MISSING: {what}: {name}");
        }
    }
    let Survey { functions_with_example, types_with_example, errors, panics, .. } = &survey;
    // A survey that finds too little is broken.
    let complete = functions_with_example.needed > 100 && panics.needed == PANICKING.len();
    Ok(complete
        && [functions_with_example, types_with_example, errors, panics].iter().all(|count| count.missing.is_empty()))
}

impl Survey {
    fn visit(&mut self, documentation: &Crate, id: Id, path: &str) {
        // Items of other crates have no page here.
        let Some(item) = documentation.index.get(&id).filter(|item| item.crate_id == 0) else { return };
        if !self.visited.insert(id) {
            return;
        }
        let name = match path {
            "" => item.name.clone().unwrap_or_default(),
            _ => format!("{path}::{}", item.name.as_deref().unwrap_or_default()),
        };
        let (inner, impls) = match &item.inner {
            ItemEnum::Module(module) => {
                let path = if module.is_crate { "" } else { &name };
                return module.items.iter().for_each(|&id| self.visit(documentation, id, path));
            }
            ItemEnum::Use(import) => return import.id.into_iter().for_each(|id| self.visit(documentation, id, path)),
            ItemEnum::Function(function) => {
                self.functions_with_example.needs(&name, has_example(item));
                if is_result(function.sig.output.as_ref()) {
                    self.errors.needs(&name, has_section(item, "# Errors"));
                }
                if PANICKING.iter().any(|panicking| name.ends_with(panicking)) {
                    self.panics.needs(&name, has_section(item, "# Panics"));
                }
                return;
            }
            ItemEnum::Struct(of) => (&[][..], &of.impls),
            ItemEnum::Enum(of) => (&[][..], &of.impls),
            ItemEnum::Trait(of) => (&of.items[..], &Vec::new()),
            _ => return,
        };
        self.types_with_example.needs(&name, has_example(item));
        inner.iter().for_each(|&id| self.visit(documentation, id, &name));
        for id in impls {
            let Some(Item { inner: ItemEnum::Impl(of), .. }) = documentation.index.get(id) else { continue };
            let inherent = of.items.iter().filter(|_| of.trait_.is_none());
            let public = inherent.filter(|id| documentation.index[id].visibility == Visibility::Public);
            public.for_each(|&id| self.visit(documentation, id, &name));
        }
    }
}

fn is_result(output: Option<&Type>) -> bool {
    matches!(output, Some(Type::ResolvedPath(path)) if path.path.rsplit("::").next() == Some("Result"))
}

fn has_section(item: &Item, heading: &str) -> bool {
    item.docs.iter().flat_map(|docs| docs.lines()).any(|line| line == heading)
}

/// Returns whether there is a code block that runs: one whose fence names nothing, such as `text` or `no_run`.
fn has_example(item: &Item) -> bool {
    let fences = item.docs.iter().flat_map(|docs| docs.lines()).filter(|line| line.starts_with("```"));
    fences.step_by(2).any(|fence| fence == "```")
}
