// Grafana's own type of a dashboard, as JSON has it.
import type { AnnotationQuery, Dashboard, DataQuery } from "@grafana/schema";

// JSON has texts where the types have enums, and what is in a query is its data source's own.
type Plain<T> = T extends string
  ? `${T}`
  : T extends DataQuery
    ? { [K in keyof T]: Plain<T[K]> } & Record<string, unknown>
    : T extends object
      ? { [K in keyof T]: Plain<T[K]> }
      : T;

// What the plugin for Prometheus reads of an annotation beside that; before Grafana 10 the query, too.
type OfPrometheus = Record<"expr" | "step" | "tagKeys" | "textFormat" | "titleFormat", string>;

export type Board = Plain<Omit<Dashboard, "annotations">> & {
  annotations: { list: (Plain<AnnotationQuery> & OfPrometheus)[] };
};
