{{/* Name that all objects of the release begin with. */}}
{{- define "modelyard.fullname" -}}
{{- default .Release.Name .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{/* Names of the parts. */}}
{{- define "modelyard.operator" -}}
{{- include "modelyard.fullname" . }}-operator
{{- end }}
{{- define "modelyard.store" -}}
{{- include "modelyard.fullname" . }}-store
{{- end }}
{{- define "modelyard.serviceAccount" -}}
{{- default (include "modelyard.operator" .) .Values.serviceAccount.name -}}
{{- end }}

{{/* Labels of every object. Call with (dict "root" $ "component" "operator"). */}}
{{- define "modelyard.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: modelyard
{{ include "modelyard.selector" . }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Labels that select a part's pods: never changes, because selectors cannot. */}}
{{- define "modelyard.selector" -}}
app.kubernetes.io/name: modelyard
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Reference of an image. Call with (dict "root" $ "image" .Values.operator.image). */}}
{{- define "modelyard.image" -}}
{{- $registry := default .root.Values.image.registry .image.registry -}}
{{- with $registry }}{{ trimSuffix "/" . }}/{{ end -}}
{{- .image.repository -}}
{{- if .image.digest }}@{{ .image.digest }}{{ else }}:{{ default .root.Chart.AppVersion .image.tag }}{{ end -}}
{{- end }}

{{- define "modelyard.imagePullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Pod Security "restricted". */}}
{{- define "modelyard.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}
{{- define "modelyard.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* Where a pod runs. Call with the part's values. */}}
{{- define "modelyard.scheduling" -}}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* URL of the object store as pods reach it, and that of its admin API: only the chart's store has one. */}}
{{- define "modelyard.storeScheme" -}}
{{- ternary "https" "http" (ne .Values.store.tls.secretName "") -}}
{{- end }}
{{- define "modelyard.storeEndpoint" -}}
{{- if .Values.store.enabled -}}
{{ include "modelyard.storeScheme" . }}://{{ include "modelyard.store" . }}.{{ .Release.Namespace }}.svc:9000
{{- else -}}
{{ .Values.objectStore.endpoint }}
{{- end -}}
{{- end }}
{{- define "modelyard.storeAdminEndpoint" -}}
{{- if .Values.store.enabled -}}
{{ include "modelyard.storeScheme" . }}://{{ include "modelyard.store" . }}-admin.{{ .Release.Namespace }}.svc:9001
{{- end -}}
{{- end }}

{{/*
Secret of the release's namespace with keys of the object store: the root keys of the chart's store, or those
that all namespaces share. Empty where the platform engineer supplies one for each namespace.
*/}}
{{- define "modelyard.storeSecret" -}}
{{- if .Values.objectStore.existingSecret -}}
{{ .Values.objectStore.existingSecret }}
{{- else if .Values.store.enabled -}}
{{ include "modelyard.store" . }}-root
{{- end -}}
{{- end }}

{{/* Whether the operator makes that Secret: only for the chart's own store. */}}
{{- define "modelyard.generatesKeys" -}}
{{- and .Values.store.enabled (not .Values.objectStore.existingSecret) -}}
{{- end }}

{{/*
Resources of modelyard.dev, as a list: those that files/kinds.yaml has under the key of, each with the
subresource, if one is given.
*/}}
{{- define "modelyard.kinds" -}}
{{- $found := list -}}
{{- range index (.root.Files.Get "files/kinds.yaml" | fromYaml) .of -}}
{{- $found = append $found (ternary . (printf "%s/%s" . $.subresource) (not $.subresource)) -}}
{{- end -}}
[{{ join ", " $found }}]
{{- end }}

{{/* Dataset jobs, training workers and model servers, in whichever namespace they run: a NetworkPolicyPeer. */}}
{{- define "modelyard.workloadPeer" -}}
- namespaceSelector: {}
  podSelector:
    matchLabels:
      app.kubernetes.io/managed-by: modelyard
{{- end }}
