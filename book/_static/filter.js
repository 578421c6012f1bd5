// A form.filter shows only those rows of its tables whose data-NAME is what is chosen under NAME. Without it all are shown.
document.addEventListener("DOMContentLoaded", () => {
  for (const form of document.querySelectorAll("form.filter")) {
    const rows = [...document.querySelectorAll(`table.${form.dataset.table} tbody tr`)];
    const show = () => {
      const chosen = [...form.querySelectorAll("select")].filter((box) => box.value);
      for (const row of rows) row.hidden = chosen.some((box) => row.dataset[box.name] !== box.value);
      form.querySelector("output").value = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows`;
    };
    form.hidden = false;
    form.addEventListener("change", show);
    show();
  }
});
