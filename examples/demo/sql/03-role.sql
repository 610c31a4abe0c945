-- The one role that the gateway logs in as. People never have its password; the loader sets it.
-- It reads everything, logs searches, and changes scores and a model's stage; it destroys nothing.

grant usage on schema rr to rerank_app;
grant select on all tables in schema rr to rerank_app;
grant insert on rr.search_queries, rr.rerank_results to rerank_app;
grant insert, update (score, boost, updated_by, updated_at) on rr.ranking_scores to rerank_app;
grant update (stage, approved_by, promoted_at) on rr.ranking_models to rerank_app;
