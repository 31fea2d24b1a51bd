/* Draws the charts of the report from the numbers of its tables. Without it, or without Chart.js, the tables say it all. */
(function () {
  "use strict";

  var source = document.getElementById("coaching-report-charts");
  if (!source || !window.Chart) {
    return;
  }
  var charts = JSON.parse(source.textContent);
  var isRightToLeft = document.documentElement.dir === "rtl";
  var still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  var language = document.documentElement.lang || undefined;

  // Okabe and Ito's colours for the colour-blind, darkened for contrast; each with a point, a dash and a pattern of its
  // own, so that no series is known by its colour alone.
  var COLOURS = ["#00507a", "#a34700", "#006b4f", "#8a2a6b", "#52606d"];
  var POINTS = ["circle", "rect", "triangle", "rectRot", "crossRot"];
  var DASHES = [[], [8, 4], [2, 3], [8, 3, 2, 3], [1, 1]];
  var INK = "#1f2933";

  function pattern(index) {
    var tile = document.createElement("canvas");
    tile.width = tile.height = 8;
    var pen = tile.getContext("2d");
    pen.fillStyle = COLOURS[index];
    pen.fillRect(0, 0, 8, 8);
    pen.strokeStyle = pen.fillStyle = "#fff";
    pen.lineWidth = 1.5;
    pen.beginPath();
    if (index === 1) { pen.moveTo(0, 8); pen.lineTo(8, 0); }
    if (index === 2) { pen.moveTo(0, 4); pen.lineTo(8, 4); }
    if (index === 3) { pen.moveTo(4, 0); pen.lineTo(4, 8); }
    pen.stroke();
    if (index === 4) { pen.fillRect(2, 2, 3, 3); }
    return pen.createPattern(tile, "repeat");
  }

  function written(value, isPercent) {
    return new Intl.NumberFormat(language, isPercent ? { style: "percent", maximumFractionDigits: 1 } : {}).format(value);
  }

  function line(series, index) {
    var isGoal = series.role === "goal";
    var colour = isGoal ? INK : COLOURS[index];
    return {
      type: "line", label: series.label, data: series.values, spanGaps: false,
      borderColor: colour, backgroundColor: colour, borderWidth: 2, borderDash: isGoal ? [4, 4] : DASHES[index],
      pointStyle: isGoal ? "line" : POINTS[index], pointRadius: isGoal ? 0 : 4
    };
  }

  function bar(series, index) {
    return {
      type: "bar", label: series.label, data: series.values, backgroundColor: pattern(index), borderColor: COLOURS[index],
      borderWidth: 1
    };
  }

  // A share is a point on a bar from the low to the high end of its interval, with the two groups side by side.
  function interval(series, index) {
    var label = series.label;
    return {
      type: "bar", label: label, data: series.ranges, backgroundColor: pattern(index), borderColor: COLOURS[index],
      borderWidth: 1, barThickness: 18, shares: series.values
    };
  }

  // The point itself, which Chart.js cannot put on a floating bar of a group by itself.
  var shares = {
    id: "coachingShares",
    afterDatasetsDraw: function (chart) {
      chart.data.datasets.forEach(function (dataset, index) {
        (dataset.shares || []).forEach(function (share, position) {
          var element = chart.getDatasetMeta(index).data[position];
          if (share === null || !element) { return; }
          var pen = chart.ctx;
          pen.save();
          pen.beginPath();
          pen.arc(element.x, chart.scales.y.getPixelForValue(share), 5, 0, 2 * Math.PI);
          pen.fillStyle = "#fff";
          pen.strokeStyle = INK;
          pen.lineWidth = 2;
          pen.fill();
          pen.stroke();
          pen.restore();
        });
      });
    }
  };

  function tooltip(chart) {
    return {
      rtl: isRightToLeft,
      callbacks: {
        label: function (item) {
          var share = item.dataset.shares ? item.dataset.shares[item.dataIndex] : null;
          if (share === null) { return item.dataset.label + ": " + written(item.parsed.y, chart.percent); }
          var ends = item.raw.map(function (end) { return written(end, true); }).join(" – ");
          return item.dataset.label + ": " + written(share, true) + " (" + ends + ")";
        }
      }
    };
  }

  var MAKERS = { line: line, bar: bar, interval: interval };
  var drawn = [];
  document.querySelectorAll("canvas[data-coaching-chart]").forEach(function (canvas) {
    var chart = charts[canvas.dataset.coachingChart];
    if (!chart) { return; }
    // Chart.js takes its size from an element that holds nothing but the canvas.
    var frame = document.createElement("div");
    frame.className = "coaching-chart-frame";
    canvas.parentNode.insertBefore(frame, canvas);
    frame.appendChild(canvas);
    frame.parentNode.insertBefore(frame.nextElementSibling, frame);
    frame.parentNode.hidden = false;
    drawn.push(new window.Chart(canvas, {
      type: chart.kind === "line" ? "line" : "bar",
      data: { labels: chart.labels, datasets: chart.series.map(MAKERS[chart.kind]) },
      options: {
        animation: still ? false : { duration: 300 },
        responsive: true, maintainAspectRatio: false, locale: language,
        scales: {
          x: { reverse: isRightToLeft, ticks: { color: INK, maxRotation: 60 }, grid: { display: false } },
          y: {
            position: isRightToLeft ? "right" : "left", beginAtZero: true, max: chart.percent ? 1 : undefined,
            ticks: {
              color: INK, precision: chart.percent ? undefined : 0,
              callback: function (value) { return written(value, chart.percent); }
            }
          }
        },
        plugins: {
          legend: {
            rtl: isRightToLeft, textDirection: isRightToLeft ? "rtl" : "ltr",
            labels: { color: INK, usePointStyle: chart.kind === "line", boxHeight: chart.kind === "line" ? 8 : undefined }
          },
          tooltip: tooltip(chart)
        }
      },
      plugins: [shares]
    }));
  });

  // On paper, as wide as a sheet of A4 between its margins.
  window.addEventListener("beforeprint", function () {
    drawn.forEach(function (chart) { chart.resize(660, 280); });
  });
  window.addEventListener("afterprint", function () {
    drawn.forEach(function (chart) { chart.resize(); });
  });
})();
