-- After the rows, which is faster than before them.

create index documents_tsv on rr.documents using gin (tsv);
create index documents_customer on rr.documents (customer_id);
create index ranking_scores_class on rr.ranking_scores (query_class, score desc);
create index search_queries_created on rr.search_queries (created_at);
create unique index ranking_models_one_production on rr.ranking_models (name) where stage = 'production';
