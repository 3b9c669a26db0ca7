// The front end of `mw.explore(spec)` in notebooks: the page in a frame of its own, and messages
// between it and the kernel. The frame has another origin, so the page cannot touch the notebook.

const SANDBOX = "allow-scripts allow-forms allow-downloads";

function render({ model, el }) {
  const view = crypto.getRandomValues(new Uint32Array(2)).join("-"); // a widget may be shown twice
  const frame = document.createElement("iframe");
  frame.title = "Modelwright explorer";
  frame.setAttribute("sandbox", SANDBOX);
  Object.assign(frame.style, { display: "block", boxSizing: "border-box", width: "100%", height: `${model.get("height")}px`, border: "1px solid #8886", borderRadius: "8px" });
  const take = (message) => {
    if (message.view !== view) return;
    if ("page" in message) frame.srcdoc = message.page;
    else frame.contentWindow?.postMessage(message, "*");
  };
  const send = ({ source, data }) => {
    if (source === frame.contentWindow) model.send({ ...data, view });
  };
  model.on("msg:custom", take);
  addEventListener("message", send);
  el.append(frame);
  model.send({ view, path: "page", theme: themeOf(document.body) });
  return () => {
    model.off("msg:custom", take);
    removeEventListener("message", send);
  };
}

/** The theme of JupyterLab and VS Code; "" where the notebook does not tell. */
function themeOf(body) {
  if (body.dataset.jpThemeLight) return body.dataset.jpThemeLight === "true" ? "light" : "dark";
  const { vscodeThemeKind = "" } = body.dataset;
  if (vscodeThemeKind) return vscodeThemeKind.includes("light") ? "light" : "dark";
  return "";
}

export default { render };
