// Enters a course as the learning MFE does: a new token, then course_metadata, then wherever course_access leads.
(async () => {
  const main = document.getElementById("main");
  const { courseId, lmsBaseUrl } = main.dataset;
  const title = document.getElementById("course-title");
  const notice = document.getElementById("course-notice");
  const options = { credentials: "include", headers: { "USE-JWT-COOKIE": "true" } };
  const go = (path) => window.location.assign(`${lmsBaseUrl}${path}`);

  const refreshed = await fetch(`${lmsBaseUrl}/login_refresh`, { ...options, method: "POST" });
  if (refreshed.status === 401) {
    go(`/login?next=${encodeURIComponent(window.location.href)}`);
    return;
  }
  const response = await fetch(`${lmsBaseUrl}/api/course_home/course_metadata/${courseId}`, options);
  const metadata = await response.json();
  if (!response.ok) {
    title.textContent = "";
    notice.textContent = metadata.detail || "";
    return;
  }

  const access = metadata.course_access;
  if (!access.has_access) {
    switch (access.error_code) {
      case "data_sharing_access_required":
        go(access.developer_message);
        return;
      case "survey_required":
        go(`/courses/${courseId}/survey`);
        return;
      case "audit_expired":
        go(`/dashboard?access_response_error=${encodeURIComponent(access.additional_context_user_message)}`);
        return;
      case "course_not_started":
        go(`/dashboard?notlive=${encodeURIComponent(metadata.start)}`);
        return;
      case "unfulfilled_milestones":
        go("/dashboard");
        return;
      case "incorrect_active_enterprise":
        title.textContent = "Access denied";
        notice.textContent = access.user_message;
        return;
      default:
        // An unknown code: the course home, without a word.
    }
  }
  document.title = metadata.title;
  title.textContent = metadata.title;
  notice.textContent = access.has_access ? "This is where the course would be. You are in." : "";
})();
