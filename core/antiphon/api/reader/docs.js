// Shows the API's own document. Everything is set as text, never as markup.

const $ = (id) => document.getElementById(id);
let spec = null;

function make(tag, options = {}, ...children) {
  const element = Object.assign(document.createElement(tag), options);
  element.append(...children);
  return element;
}

function resolve(thing) {
  if (!thing?.$ref) return thing;
  const [, , kind, name] = thing.$ref.split("/"); // "#/components/<kind>/<name>"
  return spec.components[kind][name];
}

function typeOf(schema = {}) {
  if (resolve(schema).enum) return resolve(schema).enum.map((each) => JSON.stringify(each)).join(" or ");
  if (schema.$ref) return schema.$ref.split("/").pop();
  const parts = schema.anyOf ?? schema.oneOf;
  if (parts) return parts.map(typeOf).join(" or ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === "array") return `list of ${typeOf(schema.items)}`;
  return [schema.type ?? "anything", schema.format && `(${schema.format})`].filter(Boolean).join(" ");
}

function limitsOf(schema = {}) {
  const every = [schema, ...(schema.anyOf ?? [])];
  const words = { minimum: "from", maximum: "to", exclusiveMinimum: "above", minLength: "length from",
    maxLength: "length to", minItems: "items from", maxItems: "items to" };
  return Object.entries(words)
    .flatMap(([key, word]) => every.filter((one) => one[key] !== undefined).map((one) => `${word} ${one[key]}`))
    .join(", ");
}

function table(rows) {
  const head = make("tr", {}, ...["Name", "Type", ""].map((text) => make("th", { textContent: text })));
  const body = rows.map(([name, schema, required, description]) => {
    const about = [required && "required", limitsOf(schema), description].filter(Boolean).join("; ");
    return make("tr", {}, make("td", {}, make("code", { textContent: name })),
      make("td", { textContent: typeOf(schema) }), make("td", { textContent: about }));
  });
  return make("div", { className: "scroll" }, make("table", {}, head, ...body));
}

const json = (value) => make("pre", { textContent: JSON.stringify(value, null, 2) });
const heading = (text) => make("h3", { textContent: text });

function fields(schema) {
  const resolved = resolve(schema);
  if (!resolved?.properties) return [];
  const required = resolved.required ?? [];
  return [table(Object.entries(resolved.properties).map(
    ([name, one]) => [name, one, required.includes(name), one.description]))];
}

function content(kinds = {}) {
  return Object.entries(kinds).flatMap(([kind, { schema, example }]) => [
    make("p", {}, make("code", { textContent: kind }), schema?.$ref ? ` ${typeOf(schema)}` : ""),
    ...fields(schema),
    ...(example === undefined ? [] : [json(example)]),
  ]);
}

function answers(responses) {
  return Object.entries(responses).flatMap(([status, reference]) => {
    const answer = resolve(reference);
    const problem = answer.content?.["application/problem+json"];
    const codes = problem ? ` Code: ${Object.keys(problem.examples).join(", ")}.` : "";
    const line = make("p", {}, make("code", { textContent: status }), ` ${answer.description}${codes}`);
    return problem ? [line] : [line, ...content(answer.content)];
  });
}

function operation(path, method, told) {
  const inside = make("div", { className: "inside" });
  if (told.description) inside.append(make("p", { textContent: told.description }));
  inside.append(make("p", { textContent: told.security.length ? "Needs a token." : "Open to anyone." }));
  if (told.parameters) {
    inside.append(heading("Parameters"), table(told.parameters.map(
      (one) => [`${one.name} (${one.in})`, one.schema, one.required, one.description])));
  }
  if (told.requestBody) inside.append(heading("Body"), ...content(told.requestBody.content));
  inside.append(heading("Answers"), ...answers(told.responses));
  const summary = make("summary", {},
    make("span", { className: "method", textContent: method.toUpperCase() }),
    make("code", { textContent: path }),
    make("span", { className: "about", textContent: told.summary }));
  const details = make("details", { id: told.operationId }, summary, inside);
  details.dataset.words = `${method} ${path} ${told.summary} ${told.tags}`.toLowerCase();
  return details;
}

function show() {
  $("version").textContent = spec.info.version;
  const sections = spec.tags.map(({ name }) => {
    const section = make("section", {}, make("h2", { textContent: name }));
    for (const [path, operations] of Object.entries(spec.paths)) {
      for (const [method, told] of Object.entries(operations)) {
        if (told.tags.includes(name)) section.append(operation(path, method, told));
      }
    }
    return section;
  });
  $("operations").replaceChildren(...sections);
  document.getElementById(location.hash.slice(1))?.setAttribute("open", "");
}

function find() {
  const words = $("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const section of document.querySelectorAll("section")) {
    const all = [...section.querySelectorAll("details")];
    for (const one of all) one.hidden = !words.every((word) => one.dataset.words.includes(word));
    section.hidden = all.every((one) => one.hidden);
  }
}

$("find").addEventListener("input", find);
try {
  const answer = await fetch("openapi.json");
  if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
  spec = await answer.json();
  show();
  find();
} catch (error) {
  $("operations").replaceChildren(make("p", { textContent: `The document could not be read: ${error.message}` }));
}
