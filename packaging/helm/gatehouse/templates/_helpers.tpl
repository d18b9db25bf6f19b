{{- define "gatehouse.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "gatehouse.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "gatehouse.labels" -}}
{{ include "gatehouse.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "gatehouse.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "gatehouse.name" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* gitlab.yml: what the values say, and over it what the chart itself decides. */}}
{{- define "gatehouse.settings" -}}
{{- $secret := "/etc/gatehouse/secrets" -}}
{{- $ours := dict
  "gitlab_shell" (dict "secret_file" (printf "%s/gitlab_shell_secret" $secret))
  "gitlab_kas" (dict "secret_file" (printf "%s/gitlab_kas_secret" $secret))
  "workhorse" (dict "secret_file" (printf "%s/gitlab_workhorse_secret" $secret))
  "gatehouse" (dict
    "listen" "0.0.0.0:3001"
    "metrics_listen" "0.0.0.0:3002"
    "db_key_base_file" (printf "%s/db_key_base" $secret)) -}}
{{- mergeOverwrite (deepCopy .Values.settings) $ours | toYaml -}}
{{- end -}}
