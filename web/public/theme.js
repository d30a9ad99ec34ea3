// Runs before the page is drawn, so that the chosen theme does not flash. The content policy allows no inline script.
try {
  const theme = localStorage.getItem("baccarat.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // No storage: the system's theme it is.
}
