// Tells the learning MFE, in whose frame the unit is, how high it is: the MFE shows no unit before.
window.addEventListener("load", () => {
  window.parent.postMessage({ type: "plugin.resize", payload: { height: document.body.scrollHeight } }, "*");
});
