BEGIN TRANSACTION;
CREATE TABLE aligntree_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT aligntree_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "aligntree_version" VALUES('0001');
CREATE TABLE asks (
	search_id VARCHAR(36) NOT NULL, 
	number INTEGER NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	node_id VARCHAR(64) NOT NULL, 
	attempt INTEGER NOT NULL, 
	payload JSON NOT NULL, 
	link INTEGER NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_asks PRIMARY KEY (search_id, number), 
	CONSTRAINT fk_asks_search_id FOREIGN KEY(search_id) REFERENCES searches (id), 
	CONSTRAINT uq_asks_search_id_link UNIQUE (search_id, link)
);
INSERT INTO "asks" VALUES('01a1fea8-e4ab-7139-9852-3184812a1031',0,'sample','4e4902a06141ba8c9a6658e4bbbd0ead05a27d7e5704cccc46ac021b268c3e51',0,'{"n": 1, "max_tokens": 12, "unit": "tokens"}',1,'af26a109d032e3606a138072796f34de7e00a24b20691e22a53773fc5a9967b1');
INSERT INTO "asks" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d',0,'sample','4e4902a06141ba8c9a6658e4bbbd0ead05a27d7e5704cccc46ac021b268c3e51',0,'{"n": 2, "max_tokens": 4, "unit": "tokens"}',1,'0001caf4374f50b1477a5233df05b4bc6a5a28e451d423c0e49ddaa45718a1ad');
INSERT INTO "asks" VALUES('01a1fea8-e4ab-7139-9852-31863d7d9b15',0,'sample','57dadfe1bf36c859f405af19b1061e65a10d3cd7ddae95bcaea515b1e169168c',0,'{"n": 1, "max_tokens": 12, "unit": "tokens"}',1,'cd0c06c9be646ffefc18e1aba857109f630d809753fb7c49cea570590f4de809');
INSERT INTO "asks" VALUES('01a1fea8-e4ac-7385-b799-488364600136',0,'sample','57dadfe1bf36c859f405af19b1061e65a10d3cd7ddae95bcaea515b1e169168c',0,'{"n": 2, "max_tokens": 4, "unit": "tokens"}',1,'caeb706c796124e83efcd3812e3a97d6588818d15d59bf973c80fb09522ec7a1');
INSERT INTO "asks" VALUES('01a1fea8-e4ac-7385-b799-488364600136',1,'sample','d9f1e26d559b75696109db063c401edef704dc7df8160971b3e39d753a37a06e',0,'{"n": 2, "max_tokens": 4, "unit": "tokens"}',12,'747a82c36c470d60ed2df1cdee8d92a4b628b903e9d7a47cf79da36aaeb1e297');
INSERT INTO "asks" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d',1,'sample','07371416d60f6b6b5bb4d47bb2889ac22f40656684211e2e74f510ca709bb1af',0,'{"n": 2, "max_tokens": 4, "unit": "tokens"}',12,'d985faf74b8c9ea881b079aa929d78309163402f004b8c6e21cd5cfb0c17d3c6');
INSERT INTO "asks" VALUES('01a1fea8-e4ac-7385-b799-488364600136',2,'sample','57dadfe1bf36c859f405af19b1061e65a10d3cd7ddae95bcaea515b1e169168c',1,'{"n": 2, "max_tokens": 4, "unit": "tokens"}',23,'c9e75cf4d98570bb81062b13ee75b862746998fb9c5a47ea68b69baacb75c8c8');
INSERT INTO "asks" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d',2,'sample','4e4902a06141ba8c9a6658e4bbbd0ead05a27d7e5704cccc46ac021b268c3e51',1,'{"n": 2, "max_tokens": 4, "unit": "tokens"}',23,'c48a56619908d1ed3437fe9d021f71e9e358c39cee662fdb08dce92da4432b62');
CREATE TABLE budgets (
	scope VARCHAR(64) NOT NULL, 
	unit VARCHAR(16) NOT NULL, 
	"limit" BIGINT, 
	reserved BIGINT NOT NULL, 
	spent BIGINT NOT NULL, 
	CONSTRAINT pk_budgets PRIMARY KEY (scope, unit)
);
INSERT INTO "budgets" VALUES('run:01a1fea8-e4a3-7125-87d3-a8028e74ed47','nano_usd',NULL,0,0);
INSERT INTO "budgets" VALUES('run:01a1fea8-e4a3-7125-87d3-a8028e74ed47','requests',NULL,0,8);
INSERT INTO "budgets" VALUES('run:01a1fea8-e4a3-7125-87d3-a8028e74ed47','tokens',NULL,0,114);
CREATE TABLE calls (
	search_id VARCHAR(36) NOT NULL, 
	ask INTEGER NOT NULL, 
	part INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	sent BIGINT NOT NULL, 
	request JSON NOT NULL, 
	worst_tokens BIGINT NOT NULL, 
	worst_price BIGINT, 
	link INTEGER NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_calls PRIMARY KEY (search_id, ask, part, attempt), 
	CONSTRAINT fk_calls_search_id_ask FOREIGN KEY(search_id, ask) REFERENCES asks (search_id, number), 
	CONSTRAINT fk_calls_search_id FOREIGN KEY(search_id) REFERENCES searches (id), 
	CONSTRAINT uq_calls_search_id_link UNIQUE (search_id, link)
);
INSERT INTO "calls" VALUES('01a1fea8-e4ab-7139-9852-3184812a1031',0,0,0,1795273843945,'{"n": 1, "max_tokens": 12, "temperature": 0.7, "top_p": 1.0, "top_k": null, "stop": [], "seed": 700491356, "logprobs": 5, "text_sha256": "4e4902a06141ba8c9a6658e4bbbd0ead05a27d7e5704cccc46ac021b268c3e51"}',28,NULL,2,'b1f9b781ec30e5cfb127a58b27dc6d796afa52f05a45840d6e664d39efbc0fda');
INSERT INTO "calls" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d',0,0,0,1795273843955,'{"n": 2, "max_tokens": 4, "temperature": 0.7, "top_p": 1.0, "top_k": null, "stop": [], "seed": 1452156622, "logprobs": 5, "text_sha256": "4e4902a06141ba8c9a6658e4bbbd0ead05a27d7e5704cccc46ac021b268c3e51"}',24,NULL,2,'73547051f8561d3b0ce43aa1f3ddf3d21212106edb7336a8f110d4397ae5eaf1');
INSERT INTO "calls" VALUES('01a1fea8-e4ab-7139-9852-31863d7d9b15',0,0,0,1795273843967,'{"n": 1, "max_tokens": 12, "temperature": 0.7, "top_p": 1.0, "top_k": null, "stop": [], "seed": 300821407, "logprobs": 5, "text_sha256": "57dadfe1bf36c859f405af19b1061e65a10d3cd7ddae95bcaea515b1e169168c"}',38,NULL,2,'8006d438a35f7cab3816ceb99ffedeaa11d4ac5f0f64010892572e36963ea30b');
INSERT INTO "calls" VALUES('01a1fea8-e4ac-7385-b799-488364600136',0,0,0,1795273843977,'{"n": 2, "max_tokens": 4, "temperature": 0.7, "top_p": 1.0, "top_k": null, "stop": [], "seed": 1359634200, "logprobs": 5, "text_sha256": "57dadfe1bf36c859f405af19b1061e65a10d3cd7ddae95bcaea515b1e169168c"}',34,NULL,2,'ec984c91844fd5344b4905c64aac7192307b441eff9a55e6b7f5a602b45eb041');
INSERT INTO "calls" VALUES('01a1fea8-e4ac-7385-b799-488364600136',1,0,0,1795273844099,'{"n": 2, "max_tokens": 4, "temperature": 0.7, "top_p": 1.0, "top_k": null, "stop": [], "seed": 1494016519, "logprobs": 5, "text_sha256": "45b9a17c23de5eb65f8e6f93e35969664ab6a60648d089f7d39608a01e0176d7"}',49,NULL,13,'1cc42fb7bf2c05dfc6310a7ec8d5550d866884d6e7988893ecd0949db141565a');
INSERT INTO "calls" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d',1,0,0,1795273844104,'{"n": 2, "max_tokens": 4, "temperature": 0.7, "top_p": 1.0, "top_k": null, "stop": [], "seed": 29445110, "logprobs": 5, "text_sha256": "b1b207979d5948fed84c0b6dc65d8d2f647f13e659ed511f776821133933b290"}',41,NULL,13,'f31673de580f6d86fd136c415fc7138857d1e676969d9f4355816aecd0bbfdd4');
INSERT INTO "calls" VALUES('01a1fea8-e4ac-7385-b799-488364600136',2,0,0,1795273844140,'{"n": 2, "max_tokens": 4, "temperature": 0.7, "top_p": 1.0, "top_k": null, "stop": [], "seed": 1289138764, "logprobs": 5, "text_sha256": "57dadfe1bf36c859f405af19b1061e65a10d3cd7ddae95bcaea515b1e169168c"}',34,NULL,24,'8ccf72cf4cda981be4393c296d3c54f4f1680c1e55b7bbe2288b41e4e0cc2cc5');
INSERT INTO "calls" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d',2,0,0,1795273844147,'{"n": 2, "max_tokens": 4, "temperature": 0.7, "top_p": 1.0, "top_k": null, "stop": [], "seed": 2041304115, "logprobs": 5, "text_sha256": "4e4902a06141ba8c9a6658e4bbbd0ead05a27d7e5704cccc46ac021b268c3e51"}',24,NULL,24,'5919ca037b6d026187749cf1c18e1402526e9c3e050ecbca1f6d88d1e48c858e');
CREATE TABLE nodes (
	search_id VARCHAR(36) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	parent_id VARCHAR(64) NOT NULL, 
	ask INTEGER NOT NULL, 
	text TEXT NOT NULL, 
	finish VARCHAR(16) NOT NULL, 
	tokens INTEGER NOT NULL, 
	link INTEGER NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_nodes PRIMARY KEY (search_id, id), 
	CONSTRAINT fk_nodes_search_id_ask FOREIGN KEY(search_id, ask) REFERENCES asks (search_id, number), 
	CONSTRAINT fk_nodes_search_id FOREIGN KEY(search_id) REFERENCES searches (id), 
	CONSTRAINT uq_nodes_search_id_link UNIQUE (search_id, link)
);
INSERT INTO "nodes" VALUES('01a1fea8-e4ab-7139-9852-3184812a1031','20966a6f987601ca6621fe17ca57cd9912eb4f0e1aaf4104ae8caf92b35b1af7','4e4902a06141ba8c9a6658e4bbbd0ead05a27d7e5704cccc46ac021b268c3e51',0,' not is bad sea not is, so and not the good sea','length',12,4,'b922d46086afdbf5a4770ec665ea0003e5f74bfc5d75ccb2f4b071296d184bae');
INSERT INTO "nodes" VALUES('01a1fea8-e4ab-7139-9852-31863d7d9b15','4017bb897c3efa16263fd4ecb32379edf6538c7ade351e50777213ed0e28e3de','57dadfe1bf36c859f405af19b1061e65a10d3cd7ddae95bcaea515b1e169168c',0,' the not','stop',2,4,'6d2f76da42ce2dc6ea19d86df8f6d0f2cb88b44e0b0c97866db19d26dfb9e7d3');
INSERT INTO "nodes" VALUES('01a1fea8-e4ac-7385-b799-488364600136','53f79b31b4f7f4c15dadddaa6614e2af253ffd96fa7bd86374099e1ef4b8173c','57dadfe1bf36c859f405af19b1061e65a10d3cd7ddae95bcaea515b1e169168c',0,' cold bad cold kind','length',4,4,'89d2e3587c49ebfd407dd960c1c7641332ab7bb5c06ff5afc5a182abe68fcf12');
INSERT INTO "nodes" VALUES('01a1fea8-e4ac-7385-b799-488364600136','d9f1e26d559b75696109db063c401edef704dc7df8160971b3e39d753a37a06e','57dadfe1bf36c859f405af19b1061e65a10d3cd7ddae95bcaea515b1e169168c',0,' the bad is the','length',4,5,'fdc1272903f6120130bd97b09d09963776c1ecd11da5f85343990f858113ce63');
INSERT INTO "nodes" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d','07371416d60f6b6b5bb4d47bb2889ac22f40656684211e2e74f510ca709bb1af','4e4902a06141ba8c9a6658e4bbbd0ead05a27d7e5704cccc46ac021b268c3e51',0,', so not kind bad','length',4,4,'e22d496ceae2ea6b5ad5a54f5a11c6a74f66abeea3d7fe9fc63412cf3bb7a31f');
INSERT INTO "nodes" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d','253266d6f342859a70ca9130ba9fc5532cc3a37dea4629ae7633dfa8cc75914e','4e4902a06141ba8c9a6658e4bbbd0ead05a27d7e5704cccc46ac021b268c3e51',0,' bad is the bad','length',4,5,'6b99995b20e7ac2d68b53d17278384b9fc101da5c3954ccb591ebc7f48041691');
INSERT INTO "nodes" VALUES('01a1fea8-e4ac-7385-b799-488364600136','a9a282f547fcc388a0ccb89b84994039ce78d94e5e5c231de228bf4d98cbaab9','d9f1e26d559b75696109db063c401edef704dc7df8160971b3e39d753a37a06e',1,' kind cold kind good','length',4,15,'b059d63d04268906dd63ed27ec53499f2e83c7f15f4aba69c018d81a4df16e65');
INSERT INTO "nodes" VALUES('01a1fea8-e4ac-7385-b799-488364600136','00c9ef1c735d6e7086df4613ca48f0fb7666a23b804bbdb79bb7605edad9846f','d9f1e26d559b75696109db063c401edef704dc7df8160971b3e39d753a37a06e',1,' and good bad kind','length',4,16,'4caf37250f4c0e2a0242e7956fa8b1fe1de197e32b22d27f0ecc73b8fb703d95');
INSERT INTO "nodes" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d','6a6aa8f4e13609b73092823a9475727f2dad72de3462c681987be4b681db70c3','07371416d60f6b6b5bb4d47bb2889ac22f40656684211e2e74f510ca709bb1af',1,' bad kind not good','length',4,15,'6777bb4449e2a1e109700ae0af9a2742c741328803667f023f4077cfe469cec9');
INSERT INTO "nodes" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d','71c85c73c23c571662f24eaef8887e52c08998be2647320aeb06a5258efee884','07371416d60f6b6b5bb4d47bb2889ac22f40656684211e2e74f510ca709bb1af',1,', so good good','stop',3,16,'bb355d9b6bd993feb510a20e3ecc21d3859b44b60391f15a82a58a198804390d');
INSERT INTO "nodes" VALUES('01a1fea8-e4ac-7385-b799-488364600136','9ad86f1b2356c3d16662d72ec4d32c63c528d437582839dc0ab1d39d05b81035','57dadfe1bf36c859f405af19b1061e65a10d3cd7ddae95bcaea515b1e169168c',2,' cold','stop',1,26,'665a990c75f2397e71fe2d70332a33e04eff51bec0f4e017f2e7edcf534a49db');
INSERT INTO "nodes" VALUES('01a1fea8-e4ac-7385-b799-488364600136','ffd7ea9415c1a407e243a94bb47fe1f3972b897cb565d8c7fb4005812fb8ac27','57dadfe1bf36c859f405af19b1061e65a10d3cd7ddae95bcaea515b1e169168c',2,' cold kind is, so','length',4,27,'e97cdf100c07892b593e12142bf081d19dc03f6ce47ca1208dc312dcfb2ec937');
INSERT INTO "nodes" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d','9799c3ea97fe8f3da52bbffc3e901e8fa083c9c0f135035861371672e1376090','4e4902a06141ba8c9a6658e4bbbd0ead05a27d7e5704cccc46ac021b268c3e51',2,' kind kind good kind','length',4,26,'e837b3fa92c75d3edda0ef7c4ec8cf7651d78b306f905c5ef0af635ef3817dcc');
INSERT INTO "nodes" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d','904b77b3ce2cd34ab2cc65fa48f8192ab8ef58e8507d2a74b73762e5cf1a9dcd','4e4902a06141ba8c9a6658e4bbbd0ead05a27d7e5704cccc46ac021b268c3e51',2,' cold bad and good','length',4,27,'8fbcfa334a0b1ebad62a659caad2f878025d0cb5481c9147852ce19074836ed4');
CREATE TABLE replies (
	search_id VARCHAR(36) NOT NULL, 
	ask INTEGER NOT NULL, 
	part INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	received BIGINT NOT NULL, 
	ok BOOLEAN NOT NULL, 
	failure JSON, 
	continuations JSON, 
	body BLOB NOT NULL, 
	input_tokens BIGINT NOT NULL, 
	cached_tokens BIGINT NOT NULL, 
	output_tokens BIGINT NOT NULL, 
	estimated BOOLEAN NOT NULL, 
	price BIGINT, 
	latency DOUBLE NOT NULL, 
	request_id TEXT, 
	link INTEGER NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_replies PRIMARY KEY (search_id, ask, part, attempt), 
	CONSTRAINT fk_replies_search_id_ask_part_attempt FOREIGN KEY(search_id, ask, part, attempt) REFERENCES calls (search_id, ask, part, attempt), 
	CONSTRAINT fk_replies_search_id FOREIGN KEY(search_id) REFERENCES searches (id), 
	CONSTRAINT uq_replies_search_id_link UNIQUE (search_id, link)
);
INSERT INTO "replies" VALUES('01a1fea8-e4ab-7139-9852-3184812a1031',0,0,0,1795273843983,1,NULL,'[{"text": " not is bad sea not is, so and not the good sea", "finish": "length", "tokens": [[" not", -2.4000000000000004], [" is", -1.8], [" bad", -2.0], [" sea", -1.3], [" not", -2.6], [" is", -0.7000000000000001], [", so", -2.8000000000000003], [" and", -2.6], [" not", -1.4000000000000001], [" the", -1.0], [" good", -0.8], [" sea", -0.5]], "top": [[" good", -1.0], [" bad", -1.5], [" kind", -2.0], [" cold", -2.5], [" and", -3.0]]}]',X'789CED54D16E83300CFC9528CF14016DD7AEBF5255280503D920464D2A5542FCFB6CC3DAD29769EF4528C9F9EC3B03C283B6A53E285DE948693C7F41111806B885BCC0AE6F2158744C16173001383925D46109AD14E2A5BBB646321AB405788A1E076D5D09373A26D1A4C6B9CA6150D6ABB329950733C3487954C695024303AA46149E352BEBAC6F72F2F6D40669B4E0EAD030D562DD5FF0CC7E830EF80D4EACC5857992968DDC649F155F687617481D2C68EA4476EEE65E7FE2A761ABFCC9FDB8CAE24DB2B836915AA5F19ED62C4EE4BC96F307AD49BC5B26A742ED97C1477EFA2A9E4A3011A9BDACDBA9AF7ED1D530F77E98B3A7372168CBE89B3E11C36C220B6C67B8FD7D1D84D6713246EA2DF5967A4BFD5BEA34CFBE1CABCA038FC02355FC719F46A9BB7A53838C36FAA1BB3EE4F709B7E3517B1FCD8F789AC91008A67D8A7D8EE30FE1DC7416',7,0,12,0,NULL,0.0229287230031332,NULL,3,'cf95b92cd35acc397a5e9ae0329a1f3d7c522de1c507c6d63942c3b0e4a0a435');
INSERT INTO "replies" VALUES('01a1fea8-e4ab-7139-9852-31863d7d9b15',0,0,0,1795273844046,1,NULL,'[{"text": " the not", "finish": "stop", "tokens": [[" the", -0.6000000000000001], [" not", -2.9000000000000004]], "top": [[" good", -1.0], [" bad", -1.5], [" kind", -2.0], [" cold", -2.5], [" and", -3.0]]}]',X'789CAD51DB8A833010FD95906795D4BDD1FD15118971D46C6346CC140AE2BF6F264ABBBE6F9E72E65C98CB2A6D27BF85EC652624B63F608821C1831A83D3EC802C7A26CD029A80C5978826ECC025232ED3DDE9A418D11A08B15AADD2FA0E1EF1ABB23D8DB58246101E89C5BDF5368C4D0C0D313F92817066C2E1302FD872CC2A096FE0536232339F026A4E65AEF923AF72557CAAD38BADE665713D17DF77F77CF2AE520C883C5E7E29B869D1EA037D30BAC58118963B69D01D30B17A27DF0AB565E2DFA2EA63770DF67D005E61151DAADE12730F7A80B4A538C43453F35CD6171FE379BC57BD4C739376AFD275DB7E018820923F',7,0,2,0,NULL,3.44696000029216520488e-02,NULL,3,'daee237718413312757949b9ae8f631d49d61ef80d659fc6ef6acec8c672e914');
INSERT INTO "replies" VALUES('01a1fea8-e4ac-7385-b799-488364600136',0,0,0,1795273844057,1,NULL,'[{"text": " cold bad cold kind", "finish": "length", "tokens": [[" cold", -2.4000000000000004], [" bad", -0.5], [" cold", -1.1], [" kind", -2.3000000000000003]], "top": [[" good", -1.0], [" bad", -1.5], [" kind", -2.0], [" cold", -2.5], [" and", -3.0]]}, {"text": " the bad is the", "finish": "length", "tokens": [[" the", -2.8000000000000003], [" bad", -0.7000000000000001], [" is", -0.2], [" the", -1.9000000000000001]], "top": [[" good", -1.0], [" bad", -1.5], [" kind", -2.0], [" cold", -2.5], [" and", -3.0]]}]',X'789CED54DB8A833010FD9590672BDA0BEDF6574A112FA3661B1D69522888FFBE33A3B5B5B02F0BFBB2AC88C99C3973123387F4DA14FAA874A903A531FB84DC73E8E1EE931C9BCE8237D87232BF42EA81C931450D1660A510AFCDCDA6C2A8D1E4E0083DF5DAB405DC691A05A31A73558EB650595A8C930B71B8AE34AD717542FA8E96229E85B6F235A72C56DD1533D6ECB5C70BB4223F2A3181D5649C01513DF3AA4C4F5E144EAB75B88D16CF3650AB28DCD1370EE9B788B0591236A352B7D0E9B5AA10F928A82C7AEC42A2DDBC8523AB45F3D624946C3A2637613404EA8F4B9DA7EE2758960ED80427AA98DEF3204B3D9C12BF3AC5D72046318EA73F75C9543A9BC4381918FED6218737038843F64B3016702DB6F9784BFD1BE6370DC3F99B4B2B905ED301379D4FE696EFF9169A6FAD277E909EF8D43EA178370C5FC4F64DB3',7,0,8,0,NULL,4.93998559977626428008e-02,NULL,3,'20e0d54c52bb02fb84f2cbeb9329c6218213ba10f71b70312de3483ec873f7ff');
INSERT INTO "replies" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d',0,0,0,1795273844069,1,NULL,'[{"text": ", so not kind bad", "finish": "length", "tokens": [[", so", -1.3], [" not", -2.0], [" kind", -0.8], [" bad", -2.4000000000000004]], "top": [[" good", -1.0], [" bad", -1.5], [" kind", -2.0], [" cold", -2.5], [" and", -3.0]]}, {"text": " bad is the bad", "finish": "length", "tokens": [[" bad", -2.6], [" is", -2.0], [" the", -2.5], [" bad", -1.5]], "top": [[" good", -1.0], [" bad", -1.5], [" kind", -2.0], [" cold", -2.5], [" and", -3.0]]}]',X'789CED54CB8E83300CFC9528678AA08FDDAABF822A44C140B6214624952A21FEBDB64B697BDAC36A2FAB4548B1339E31C1A38CDA54FAA074AD23A5F1F40565E034C035E42576BD8560D031580E5004E0E294B20E2BB042C4A1BBD8422A5A342578DACD466D5C05570A93E8AEC6B591F2A81C067526549D8A8A59B571C6B739A97B6A4455165C135A862C36FD8027561C75C0333811171DC6594B56D69380358FDC918BF3177EB64AE34DA456EB983E6895C47B89B7C9DBB3BD53FB37E2A85583C8E72689E4D144B2DDD2FB302B6B55A29D53418B3BB8899329527F5CEA388F3AC7BAF6C013CF8831BFC7495A3D6C91BED882FB29E35568E107A6785049491652FBCE12EBF863B1841C878FFCEF81DFF400E3175F3420E3A31FDCF5215FA6F8C9B7C872EB3CF7F7329350D8E756BA9BA61B54E14069',7,0,8,0,NULL,6.80199050038936547935e-02,NULL,3,'4365628683d961a49ee5815e5b39a77c9655d50268d00105cdb0cc3d44b16c65');
INSERT INTO "replies" VALUES('01a1fea8-e4ac-7385-b799-488364600136',1,0,0,1795273844119,1,NULL,'[{"text": " kind cold kind good", "finish": "length", "tokens": [[" kind", -1.1], [" cold", -1.3], [" kind", -3.0], [" good", -0.2]], "top": [[" good", -1.0], [" bad", -1.5], [" kind", -2.0], [" cold", -2.5], [" and", -3.0]]}, {"text": " and good bad kind", "finish": "length", "tokens": [[" and", -0.1], [" good", -0.2], [" bad", -2.5], [" kind", -2.4000000000000004]], "top": [[" good", -1.0], [" bad", -1.5], [" kind", -2.0], [" cold", -2.5], [" and", -3.0]]}]',X'789CED54DB8A833010FD9590672BDA0BBBF4578A48D478D94647348582F8EF9D99A4A97DD897857D59562464664ECE643C0717D955F22C642D2321A1F8D2A5A5D0EABBCD4BE847A36D070315CB492BAB099C62D443A50D1F84A9BF19C58816BA52CF98BD2CB21B2A7DC76D123936C28A2B664509A672BB06A0A283753774739B6383197B21D0E8A1B12D950C34E30405912ED2C2550FCCEFA808C074BC0919A6CDA82FE1F30DC56597C6787B5C0FB81E62BCDC2E89F70E3BBE2117CF7326340D210AE5A353E886E1DE15F9161C7255B922765823F1C7A932AF700E753D6B12FA8227FC9BADDCEAE98674EB06E52D408D837A3FF182DA0AFF9C24CCF08D13127602AA1FF9A1703D266FCFF1DF18BF690CAADF66D56816143F703FDA3CE8FA417F94F0077AE53F5913ABCC2B959ED6F50198CD45AB',7,0,8,0,NULL,1.43186780042015016078e-02,NULL,14,'28adadf08b0111895e29057465d5622f678c01fcdb80508f6139ea44fccb52c3');
INSERT INTO "replies" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d',1,0,0,1795273844130,1,NULL,'[{"text": " bad kind not good", "finish": "length", "tokens": [[" bad", -0.6000000000000001], [" kind", -1.0], [" not", -1.2000000000000002], [" good", -1.5]], "top": [[" good", -1.0], [" bad", -1.5], [" kind", -2.0], [" cold", -2.5], [" and", -3.0]]}, {"text": ", so good good", "finish": "stop", "tokens": [[", so", -2.3000000000000003], [" good", -1.9000000000000001], [" good", -0.9]], "top": [[" good", -1.0], [" bad", -1.5], [" kind", -2.0], [" cold", -2.5], [" and", -3.0]]}]',X'789CE554DB6E83300CFD9528CF14715937B5BF8210E2122E6B881149A54A887FAF6D182D9ABABD6F0841EC631F07CE5126D955F22C642D3D21A1F854A5A3D0A99BCB4AE807AD5C0786C07254B953541C62D443A53437C2D85F75CE152D74A5B2984D26D9994ADD7019780B1BD58A22AFC4051161C08906A0A2B6BA339D6D33A4B73809CBB4328D6B09D2D00C2314443949071765989D890867325E2021BF9934A599549D3D112487C07F0F76177EC821F4037E467B28E2E471611A763CD33AE5BC362FBBE1E8B8ED09C368014BD06BC868BE80B11FCC9EF8E354E9AA7D06756D155920C18EF54E671EF5E593F0C9279EB0C05B78ED118BAAFCE410A27818E23767447EBC973F66F94FDFED12F8A77FE889D742A28A045E6DDE28D6007F493FB86C93E2830E86ED20D9E71DB85C3F52E1DB3CDF01677835B9',7,0,7,0,NULL,1.9355021999217569828e-02,NULL,14,'a697eabe153b015d3a1d06edd3a370181c43d148951b120829caa2f8c8fb403b');
INSERT INTO "replies" VALUES('01a1fea8-e4ac-7385-b799-488364600136',2,0,0,1795273844197,1,NULL,'[{"text": " cold", "finish": "stop", "tokens": [[" cold", -0.8]], "top": [[" good", -1.0], [" bad", -1.5], [" kind", -2.0], [" cold", -2.5], [" and", -3.0]]}, {"text": " cold kind is, so", "finish": "length", "tokens": [[" cold", -1.9000000000000001], [" kind", -1.5], [" is", -0.30000000000000004], [", so", -1.6]], "top": [[" good", -1.0], [" bad", -1.5], [" kind", -2.0], [" cold", -2.5], [" and", -3.0]]}]',X'789CDD53DB6E83300CFD9528CF148576DDED571042010C640D189154AA84F8F7D901C13A75DAD35E8690C8F1710E3E76324953C977216B190989C507949EA1879BCF4BEC060BDE60CF643982F6C0C909A10E2BB061238EDDD5EA90D1A229C151349DA4E92BB8D152458B1AE78A126DC599B5E98D6B735274244E8CF3383061B119462C5863921E2FD007B97567C65A1CCCBFE4A50715BF2ECC70179FA46810B9E043127319A2D02B3A33BA50890C8F0B19FE106060F5429E623567AB851CEBDA013B495536CF91D85D26DF5D0675615C241C3E746CA16F7CFBBBE7AD525E18C79FA0F9432F92F84DDD3D54D96298DA74BAA7D453E09EFFB479DCA57F2DF5E87444627DE998307F75BA81305F6A7037F87C1BF30BDF9BED9EEDF1739889D7760F25C779FE04D7330293',7,0,5,0,NULL,5.20309749990701675415e-02,NULL,25,'700fefd4ec2f4f48d1bbc5723dae693d4343c46c0ce5b957864a387f65b2d51b');
INSERT INTO "replies" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d',2,0,0,1795273844210,1,NULL,'[{"text": " kind kind good kind", "finish": "length", "tokens": [[" kind", -2.3000000000000003], [" kind", -0.4], [" good", -0.8], [" kind", -1.5]], "top": [[" good", -1.0], [" bad", -1.5], [" kind", -2.0], [" cold", -2.5], [" and", -3.0]]}, {"text": " cold bad and good", "finish": "length", "tokens": [[" cold", -1.9000000000000001], [" bad", -2.6], [" and", -0.2], [" good", -0.7000000000000001]], "top": [[" good", -1.0], [" bad", -1.5], [" kind", -2.0], [" cold", -2.5], [" and", -3.0]]}]',X'789CED54DB8A84300CFD15E9B3235ED69DD9F91511A95A2F3BD588766040FCF7495AADE3C2BE2CECCBB25242939C9CB4E6D099B525BB3AAC62AEC320FF148522578987CA0AE80629540B3D258B517025081CA0D74129A42E84B1BB4BAE110DB48598309ACCACED4BF1C0ADEF1A36C23A378C1A5303981D15566DDF4E4D860D26EC854029FA5A359492500F23E4443A330537D16B7E666BF70D51EE9194FA123E7BA1484EA117F9872F729D93EFBD697B411B78B1291D0E85F3CA7F2504DDC9C9F9EAC5B627BAA1491620575767B949469EBFB8CE1FA74AD78167505593A0B92758B1AE74D1AD367104AFE2204A6A4A6476983F91863EDB7683ED745621DF0823F03E8EC2C0B3E1EDDEB530426DCF5F00FF3AF94D9D50FE3EF15AE8F9E20FEE0695D9319FE9BDB1EFD31EBFE899282EF750102FCB13CF734B63',7,0,8,0,NULL,4.9837044993182644248e-02,NULL,25,'b2c5d7d27018e30c16235f5b5fff6576965b14c26a8fe95326b272674a2aa5b0');
CREATE TABLE runs (
	id VARCHAR(36) NOT NULL, 
	created BIGINT NOT NULL, 
	name TEXT NOT NULL, 
	config JSON NOT NULL, 
	config_sha256 VARCHAR(64) NOT NULL, 
	versions JSON NOT NULL, 
	prices JSON NOT NULL, 
	finding JSON NOT NULL, 
	heads JSON, 
	CONSTRAINT pk_runs PRIMARY KEY (id)
);
INSERT INTO "runs" VALUES('01a1fea8-e4a3-7125-87d3-a8028e74ed47',1795273843880,'run','{"name": "run", "strong": {"model": "text-completion-openai/formula", "api_base": "http://127.0.0.1:43549/v1", "api_key_env": null, "template": null, "logprobs": 5, "choices_per_request": 4, "concurrency": 16, "timeout": 120.0, "retry_for": 3.0, "vocabulary": 200000, "input_price": null, "output_price": null}, "weak": {"reference": "embedded", "adapter": "sentiment", "template": null, "eos": true, "beta": 1.0, "per_token": false, "device": "auto", "number_format": "auto", "batch_tokens": 4096}, "sampling": {"max_tokens": 12, "temperature": 0.7, "top_p": 1.0, "top_k": null, "stop": []}, "methods": [{"label": null, "limits": {"iterations": null, "tokens": null, "nodes": null, "calls": null, "seconds": null, "patience": null}, "name": "base"}, {"label": null, "limits": {"iterations": 3, "tokens": null, "nodes": null, "calls": null, "seconds": null, "patience": null}, "name": "aligntree", "preset": "default", "children": 2, "chunk": "tokens", "chunk_tokens": 4, "rule": "ea_puct", "exploration": 1.5, "entropy_weight": 0.2, "entropy": "estimate", "backup": "max", "complete_children": "value", "top_up": false, "widening": {"k0": 4.0, "alpha": 0.4}, "min_max": false, "depth_fair": false, "rerank_parents": null, "in_flight": 1}], "seeds": [0], "searches_at_once": 4, "budget": {"requests": null, "tokens": null, "usd": null}, "gold": "vader"}','ef450cd861f3b9264442ad7ec6a9f54ffb52d427a3c955ad94fa316065c023fc','{"python": "3.11.7", "aligntree": "0.1.0", "litellm": "1.106.2", "openai": "2.54.0", "peft": "0.21.2", "prefect": "3.8.8", "sqlalchemy": "2.1.9", "torch": "2.13.0+cpu", "transformers": "5.23.0"}','{}','{"strong": {"model": "text-completion-openai/formula", "choices": 4, "logprobs": 5, "usage": {"input": 7, "output": 4, "cached": 0, "estimated": false}, "details": {"latency": 0.159, "price": null}}, "weak": {"scorer": "formula", "scale": "words", "device": "none"}, "entropy": "bits"}','{"01a1fea8-e4ab-7139-9852-3184812a1031": "c67ecb7f9c0a41c552fbedc6e83785def89f0266d8f4093fc574e9e64faaf2fa", "01a1fea8-e4ab-7139-9852-3185aa093c4d": "01a28544ea7dad98a53a7a9350a8d1e661c5107a5b62724e845bd62eeec063bf", "01a1fea8-e4ab-7139-9852-31863d7d9b15": "95409b2d823e3b982bf28889697e19a01031757ff40a13a9407f85a1c6762327", "01a1fea8-e4ac-7385-b799-488364600136": "91ae53db4dd4a493a1be9cd86ea99d48d3f757513bec2e642f14d69f4929ebd0"}');
CREATE TABLE scores (
	search_id VARCHAR(36) NOT NULL, 
	ask INTEGER NOT NULL, 
	node_id VARCHAR(64) NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	value DOUBLE NOT NULL, 
	parts JSON NOT NULL, 
	link INTEGER NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_scores PRIMARY KEY (search_id, ask, node_id, name), 
	CONSTRAINT fk_scores_search_id_ask FOREIGN KEY(search_id, ask) REFERENCES asks (search_id, number), 
	CONSTRAINT fk_scores_search_id FOREIGN KEY(search_id) REFERENCES searches (id), 
	CONSTRAINT uq_scores_search_id_link UNIQUE (search_id, link)
);
INSERT INTO "scores" VALUES('01a1fea8-e4ab-7139-9852-3184812a1031',0,'4e4902a06141ba8c9a6658e4bbbd0ead05a27d7e5704cccc46ac021b268c3e51','entropy',2.76615841763531911112e+00,'{"rung": "top-5 geometric", "bounds": [2.5393420682620946, 4.811960298014016], "warped": 1.768205709190049}',5,'7de1685a34403edea2e70464b170b58f0e01e14a02e0a0a2d24a255d2df956d4');
INSERT INTO "scores" VALUES('01a1fea8-e4ab-7139-9852-3184812a1031',0,'20966a6f987601ca6621fe17ca57cd9912eb4f0e1aaf4104ae8caf92b35b1af7','formula',0.189,'{"words": 12.0}',6,'8ef92052733a41672b4e795fd979825d82c9cb0399114c1d3ecd20da377b0d67');
INSERT INTO "scores" VALUES('01a1fea8-e4ab-7139-9852-3184812a1031',0,'20966a6f987601ca6621fe17ca57cd9912eb4f0e1aaf4104ae8caf92b35b1af7','prior',1.90456142630379882119e-01,'{"rung": "logprobs"}',7,'10d7d94b70f28bab6a00efeb90eea996a9e6ba9b3a504db410dd772bc39f3d99');
INSERT INTO "scores" VALUES('01a1fea8-e4ab-7139-9852-31863d7d9b15',0,'57dadfe1bf36c859f405af19b1061e65a10d3cd7ddae95bcaea515b1e169168c','entropy',2.76615841763531911112e+00,'{"rung": "top-5 geometric", "bounds": [2.5393420682620946, 4.811960298014016], "warped": 1.768205709190049}',5,'7529edce73f0ed389fcfea3f44e371b66952098960d0f2a3783bc4a7d20f6984');
INSERT INTO "scores" VALUES('01a1fea8-e4ab-7139-9852-31863d7d9b15',0,'4017bb897c3efa16263fd4ecb32379edf6538c7ade351e50777213ed0e28e3de','formula',6.85999999999999943156e-01,'{"words": 2.0}',6,'169b45b7c7a1eb3d0f44d997663c32dfc6c379d76db1dbae4c5fe46d33729de5');
INSERT INTO "scores" VALUES('01a1fea8-e4ab-7139-9852-31863d7d9b15',0,'4017bb897c3efa16263fd4ecb32379edf6538c7ade351e50777213ed0e28e3de','prior',1.73773943450445084168e-01,'{"rung": "logprobs"}',7,'f58a0dec9ec027d9140f59293fea17986b49c76da86e61b2c7355e5205598ccf');
INSERT INTO "scores" VALUES('01a1fea8-e4ac-7385-b799-488364600136',0,'57dadfe1bf36c859f405af19b1061e65a10d3cd7ddae95bcaea515b1e169168c','entropy',2.76615841763531911112e+00,'{"rung": "top-5 geometric", "bounds": [2.5393420682620946, 4.811960298014016], "warped": 1.768205709190049}',6,'56c56e0513ac328b5265b72029b26840be09d7af9d709613c09834f3e6d7cecc');
INSERT INTO "scores" VALUES('01a1fea8-e4ac-7385-b799-488364600136',0,'53f79b31b4f7f4c15dadddaa6614e2af253ffd96fa7bd86374099e1ef4b8173c','formula',-1.977,'{"words": 4.0}',7,'78a18f46c3293509b08dca306e76e5f07c453069dd6e70f17acbf81e2144b0b9');
INSERT INTO "scores" VALUES('01a1fea8-e4ac-7385-b799-488364600136',0,'53f79b31b4f7f4c15dadddaa6614e2af253ffd96fa7bd86374099e1ef4b8173c','prior',2.07007552681152590112e-01,'{"rung": "logprobs"}',8,'1593518d15b24e7e3383076c6d9e2ef8e7bf1d0f275e79eebd8930318bc5b46c');
INSERT INTO "scores" VALUES('01a1fea8-e4ac-7385-b799-488364600136',0,'d9f1e26d559b75696109db063c401edef704dc7df8160971b3e39d753a37a06e','formula',-0.827,'{"words": 4.0}',9,'2f2b66aa483ca48b4d4af90a7398e370a187636338224a23ba0c4ebe2f7fdac4');
INSERT INTO "scores" VALUES('01a1fea8-e4ac-7385-b799-488364600136',0,'d9f1e26d559b75696109db063c401edef704dc7df8160971b3e39d753a37a06e','prior',2.46596963941606434067e-01,'{"rung": "logprobs"}',10,'db88b893e50492d303a42fcd190255fc52208533bd99ac84468cfdcf98d1a44d');
INSERT INTO "scores" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d',0,'4e4902a06141ba8c9a6658e4bbbd0ead05a27d7e5704cccc46ac021b268c3e51','entropy',2.76615841763531911112e+00,'{"rung": "top-5 geometric", "bounds": [2.5393420682620946, 4.811960298014016], "warped": 1.768205709190049}',6,'4037056fc872b12766efeef06e8eae8c8edd6d357f819a17ee9f4af2311de7cf');
INSERT INTO "scores" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d',0,'07371416d60f6b6b5bb4d47bb2889ac22f40656684211e2e74f510ca709bb1af','formula',0.137,'{"words": 5.0}',7,'29a23786d37d75287ca1920460fe3690000b25a3f9677ffd18a8343b04472892');
INSERT INTO "scores" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d',0,'07371416d60f6b6b5bb4d47bb2889ac22f40656684211e2e74f510ca709bb1af','prior',1.96911675204194058785e-01,'{"rung": "logprobs"}',8,'662227c581801ae107f890aef2c249c4733cc40e63faad562cdef07923f68614');
INSERT INTO "scores" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d',0,'253266d6f342859a70ca9130ba9fc5532cc3a37dea4629ae7633dfa8cc75914e','formula',-1.901,'{"words": 4.0}',9,'c3d690dc4b9f134644466cd8d19ceca319a39024b07bb7b101e6ed4ccc0158b2');
INSERT INTO "scores" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d',0,'253266d6f342859a70ca9130ba9fc5532cc3a37dea4629ae7633dfa8cc75914e','prior',1.16484157773496965759e-01,'{"rung": "logprobs"}',10,'267ab561ccf48ccbc71afedac6d4be3feacaf4817db84876af7ae34a39944516');
INSERT INTO "scores" VALUES('01a1fea8-e4ac-7385-b799-488364600136',1,'d9f1e26d559b75696109db063c401edef704dc7df8160971b3e39d753a37a06e','entropy',2.76615841763531911112e+00,'{"rung": "top-5 geometric", "bounds": [2.5393420682620946, 4.811960298014016], "warped": 1.768205709190049}',17,'2bf33b57c5f59b4108f5a76fa913aad6329627b0cb96c4699ecc12d1ee557692');
INSERT INTO "scores" VALUES('01a1fea8-e4ac-7385-b799-488364600136',1,'a9a282f547fcc388a0ccb89b84994039ce78d94e5e5c231de228bf4d98cbaab9','formula',1.238,'{"words": 8.0}',18,'801f45f82f45cd87ccb7c5e44ad86503d457f4f5cdb4ee29f1e322c064a3d043');
INSERT INTO "scores" VALUES('01a1fea8-e4ac-7385-b799-488364600136',1,'a9a282f547fcc388a0ccb89b84994039ce78d94e5e5c231de228bf4d98cbaab9','prior',2.46596963941606434067e-01,'{"rung": "logprobs"}',19,'ed014e98d22b82b6a9af79d748e3661f2b352fd22bd65ac7598e8f75fc823cfa');
INSERT INTO "scores" VALUES('01a1fea8-e4ac-7385-b799-488364600136',1,'00c9ef1c735d6e7086df4613ca48f0fb7666a23b804bbdb79bb7605edad9846f','formula',0.161,'{"words": 8.0}',20,'67a134c44b398b53d5da431df64b80d6b26cd216f5ac3ad8fd12906cf0bdc271');
INSERT INTO "scores" VALUES('01a1fea8-e4ac-7385-b799-488364600136',1,'00c9ef1c735d6e7086df4613ca48f0fb7666a23b804bbdb79bb7605edad9846f','prior',2.72531793034012592702e-01,'{"rung": "logprobs"}',21,'071c91d93979b5f4fd634ca1829030d389ba6021c6271ccebcfa239220f18697');
INSERT INTO "scores" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d',1,'07371416d60f6b6b5bb4d47bb2889ac22f40656684211e2e74f510ca709bb1af','entropy',2.76615841763531911112e+00,'{"rung": "top-5 geometric", "bounds": [2.5393420682620946, 4.811960298014016], "warped": 1.768205709190049}',17,'ad3348deadde8e5f552249edff9d508dfab18094617adcd4ddadff2eeb527aa5');
INSERT INTO "scores" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d',1,'6a6aa8f4e13609b73092823a9475727f2dad72de3462c681987be4b681db70c3','formula',1.056,'{"words": 9.0}',18,'e9fb785621bd95051d730e3bcbccef51dca2cb080d4a89b2f6fc1d9d3a6c639e');
INSERT INTO "scores" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d',1,'6a6aa8f4e13609b73092823a9475727f2dad72de3462c681987be4b681db70c3','prior',3.41297755300993599369e-01,'{"rung": "logprobs"}',19,'b494574cdacdee4da5fe0f3f73803ab84182f8c7f4a9d78980cf16b04d21400c');
INSERT INTO "scores" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d',1,'71c85c73c23c571662f24eaef8887e52c08998be2647320aeb06a5258efee884','formula',3.538,'{"words": 8.0}',20,'2230dd1e086a29ea638113a0ea6748f37a0c0f901b4eb12a81872ca3b875ff4d');
INSERT INTO "scores" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d',1,'71c85c73c23c571662f24eaef8887e52c08998be2647320aeb06a5258efee884','prior',1.82683524052734608256e-01,'{"rung": "logprobs"}',21,'a262e96210fb013e8164bfdb111bc0421956e1c7923eaed3b7fd1590868daaa7');
INSERT INTO "scores" VALUES('01a1fea8-e4ac-7385-b799-488364600136',2,'57dadfe1bf36c859f405af19b1061e65a10d3cd7ddae95bcaea515b1e169168c','entropy',2.76615841763531911112e+00,'{"rung": "top-5 geometric", "bounds": [2.5393420682620946, 4.811960298014016], "warped": 1.768205709190049}',28,'7bbfa59199f230e8dcd975cbd9ca23f4ba02f30ed923ae64a236acfcd89ef3a1');
INSERT INTO "scores" VALUES('01a1fea8-e4ac-7385-b799-488364600136',2,'9ad86f1b2356c3d16662d72ec4d32c63c528d437582839dc0ab1d39d05b81035','formula',-4.15000000000000035527e-01,'{"words": 1.0}',29,'d993319d486a2ae6f8087849db9643913ceaa837a08372970f74267a695576a7');
INSERT INTO "scores" VALUES('01a1fea8-e4ac-7385-b799-488364600136',2,'9ad86f1b2356c3d16662d72ec4d32c63c528d437582839dc0ab1d39d05b81035','prior',4.49328964117221563157e-01,'{"rung": "logprobs"}',30,'be55041e264906e6029ef0e3c268bffee8b80432bc70e47ec3611ce2f8454553');
INSERT INTO "scores" VALUES('01a1fea8-e4ac-7385-b799-488364600136',2,'ffd7ea9415c1a407e243a94bb47fe1f3972b897cb565d8c7fb4005812fb8ac27','formula',0.052,'{"words": 4.0}',31,'221b80c1ba3b674600901325b15601087004b5725372658745d6ada5a05ad581');
INSERT INTO "scores" VALUES('01a1fea8-e4ac-7385-b799-488364600136',2,'ffd7ea9415c1a407e243a94bb47fe1f3972b897cb565d8c7fb4005812fb8ac27','prior',2.65802959088926538111e-01,'{"rung": "logprobs"}',32,'0615b696af33906d4eccbcfa4b3f74f0012b143664ad506e561e4abfc7190db2');
INSERT INTO "scores" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d',2,'4e4902a06141ba8c9a6658e4bbbd0ead05a27d7e5704cccc46ac021b268c3e51','entropy',2.76615841763531911112e+00,'{"rung": "top-5 geometric", "bounds": [2.5393420682620946, 4.811960298014016], "warped": 1.768205709190049}',28,'c585396c0f3ee0f44426b26272b3a16c8d3ddd7747614355432e71b2627ccfcb');
INSERT INTO "scores" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d',2,'9799c3ea97fe8f3da52bbffc3e901e8fa083c9c0f135035861371672e1376090','formula',4.18,'{"words": 4.0}',29,'76907d33048c042ca5ab5dd363b84935b7932279fdb0a79ed1b8b98c1cadcb94');
INSERT INTO "scores" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d',2,'9799c3ea97fe8f3da52bbffc3e901e8fa083c9c0f135035861371672e1376090','prior',2.86504796860190091845e-01,'{"rung": "logprobs"}',30,'3fd782c13c3ae94df06cd83ac2d64515d71daa4758e737dcdfcfcc4dfabe3abc');
INSERT INTO "scores" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d',2,'904b77b3ce2cd34ab2cc65fa48f8192ab8ef58e8507d2a74b73762e5cf1a9dcd','formula',-0.88,'{"words": 4.0}',31,'ec9f493f41f96d5cb5f6f1a49af2a1c77f3b457856881cf79eebb44171b74841');
INSERT INTO "scores" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d',2,'904b77b3ce2cd34ab2cc65fa48f8192ab8ef58e8507d2a74b73762e5cf1a9dcd','prior',2.59240260645891507085e-01,'{"rung": "logprobs"}',32,'238395fd51830006ba1290f2b0e12c2d990e8d6da9f18a2c16e0b681a45cf282');
CREATE TABLE searches (
	id VARCHAR(36) NOT NULL, 
	run_id VARCHAR(36) NOT NULL, 
	position INTEGER NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	prompt TEXT NOT NULL, 
	prompt_sha256 VARCHAR(64) NOT NULL, 
	occurrence INTEGER NOT NULL, 
	method VARCHAR(64) NOT NULL, 
	method_version INTEGER NOT NULL, 
	method_config JSON NOT NULL, 
	config_sha256 VARCHAR(64) NOT NULL, 
	seed BIGINT NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	answer JSON, 
	owner VARCHAR(200), 
	expires BIGINT, 
	fence INTEGER NOT NULL, 
	links INTEGER NOT NULL, 
	head VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_searches PRIMARY KEY (id), 
	CONSTRAINT fk_searches_run_id FOREIGN KEY(run_id) REFERENCES runs (id), 
	CONSTRAINT uq_searches_run_id_key UNIQUE (run_id, "key")
);
INSERT INTO "searches" VALUES('01a1fea8-e4ab-7139-9852-3184812a1031','01a1fea8-e4a3-7125-87d3-a8028e74ed47',0,'bff24e29672030629edc305aa092a43894c272c67f4d5f65aa1eed5cdf90327a','The tide','4e4902a06141ba8c9a6658e4bbbd0ead05a27d7e5704cccc46ac021b268c3e51',0,'base',2,'{"label": null, "limits": {"iterations": null, "tokens": null, "nodes": null, "calls": null, "seconds": null, "patience": null}, "name": "base"}','156a48fa0ccfc040f80fe1d93eb727c72ca02152f76b3822f06b0c0df0a9a726',0,'done','{"node": "20966a6f987601ca6621fe17ca57cd9912eb4f0e1aaf4104ae8caf92b35b1af7", "text": " not is bad sea not is, so and not the good sea", "value": 0.189, "complete": true, "why": "all answers sampled"}',NULL,NULL,1,8,'c67ecb7f9c0a41c552fbedc6e83785def89f0266d8f4093fc574e9e64faaf2fa');
INSERT INTO "searches" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d','01a1fea8-e4a3-7125-87d3-a8028e74ed47',1,'40229fc21e13ada1af5e25b1c6af13e5e0089350713fb9d59192d753be93de1c','The tide','4e4902a06141ba8c9a6658e4bbbd0ead05a27d7e5704cccc46ac021b268c3e51',0,'aligntree',2,'{"label": null, "limits": {"iterations": 3, "tokens": null, "nodes": null, "calls": null, "seconds": null, "patience": null}, "name": "aligntree", "preset": "default", "children": 2, "chunk": "tokens", "chunk_tokens": 4, "rule": "ea_puct", "exploration": 1.5, "entropy_weight": 0.2, "entropy": "estimate", "backup": "max", "complete_children": "value", "top_up": false, "widening": {"k0": 4.0, "alpha": 0.4}, "min_max": false, "depth_fair": false, "rerank_parents": null, "in_flight": 1}','8e5fb7b6a35679eef3f7b3a3307c3ca463212a649345dfb0c92113659726c103',0,'done','{"node": "71c85c73c23c571662f24eaef8887e52c08998be2647320aeb06a5258efee884", "text": ", so not kind bad, so good good", "value": 3.538, "complete": true, "why": "limits.iterations = 3"}',NULL,NULL,1,33,'01a28544ea7dad98a53a7a9350a8d1e661c5107a5b62724e845bd62eeec063bf');
INSERT INTO "searches" VALUES('01a1fea8-e4ab-7139-9852-31863d7d9b15','01a1fea8-e4a3-7125-87d3-a8028e74ed47',2,'895e488540c3ef0cfe4642c81c616d85c62ed07ed08bb19fed63cd787b0280de','A letter 0000 é 🍲','57dadfe1bf36c859f405af19b1061e65a10d3cd7ddae95bcaea515b1e169168c',0,'base',2,'{"label": null, "limits": {"iterations": null, "tokens": null, "nodes": null, "calls": null, "seconds": null, "patience": null}, "name": "base"}','156a48fa0ccfc040f80fe1d93eb727c72ca02152f76b3822f06b0c0df0a9a726',0,'done','{"node": "4017bb897c3efa16263fd4ecb32379edf6538c7ade351e50777213ed0e28e3de", "text": " the not", "value": 0.6859999999999999, "complete": true, "why": "all answers sampled"}',NULL,NULL,1,8,'95409b2d823e3b982bf28889697e19a01031757ff40a13a9407f85a1c6762327');
INSERT INTO "searches" VALUES('01a1fea8-e4ac-7385-b799-488364600136','01a1fea8-e4a3-7125-87d3-a8028e74ed47',3,'800492de4433c57cf4ffd43658762d19dacb2dfe72bf32c5956cf79ad8b9dd00','A letter 0000 é 🍲','57dadfe1bf36c859f405af19b1061e65a10d3cd7ddae95bcaea515b1e169168c',0,'aligntree',2,'{"label": null, "limits": {"iterations": 3, "tokens": null, "nodes": null, "calls": null, "seconds": null, "patience": null}, "name": "aligntree", "preset": "default", "children": 2, "chunk": "tokens", "chunk_tokens": 4, "rule": "ea_puct", "exploration": 1.5, "entropy_weight": 0.2, "entropy": "estimate", "backup": "max", "complete_children": "value", "top_up": false, "widening": {"k0": 4.0, "alpha": 0.4}, "min_max": false, "depth_fair": false, "rerank_parents": null, "in_flight": 1}','8e5fb7b6a35679eef3f7b3a3307c3ca463212a649345dfb0c92113659726c103',0,'done','{"node": "9ad86f1b2356c3d16662d72ec4d32c63c528d437582839dc0ab1d39d05b81035", "text": " cold", "value": -0.41500000000000004, "complete": true, "why": "limits.iterations = 3"}',NULL,NULL,1,33,'91ae53db4dd4a493a1be9cd86ea99d48d3f757513bec2e642f14d69f4929ebd0');
CREATE TABLE tells (
	search_id VARCHAR(36) NOT NULL, 
	position INTEGER NOT NULL, 
	ask INTEGER, 
	kind VARCHAR(16) NOT NULL, 
	outcome JSON NOT NULL, 
	link INTEGER NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_tells PRIMARY KEY (search_id, position), 
	CONSTRAINT fk_tells_search_id FOREIGN KEY(search_id) REFERENCES searches (id), 
	CONSTRAINT uq_tells_search_id_link UNIQUE (search_id, link)
);
INSERT INTO "tells" VALUES('01a1fea8-e4ab-7139-9852-3184812a1031',0,0,'grown','{"scorer": "formula", "children": [["20966a6f987601ca6621fe17ca57cd9912eb4f0e1aaf4104ae8caf92b35b1af7", 1]], "tokens": 12, "calls": 1, "seconds": 0.077}',8,'c67ecb7f9c0a41c552fbedc6e83785def89f0266d8f4093fc574e9e64faaf2fa');
INSERT INTO "tells" VALUES('01a1fea8-e4ab-7139-9852-31863d7d9b15',0,0,'grown','{"scorer": "formula", "children": [["4017bb897c3efa16263fd4ecb32379edf6538c7ade351e50777213ed0e28e3de", 1]], "tokens": 2, "calls": 1, "seconds": 0.128}',8,'95409b2d823e3b982bf28889697e19a01031757ff40a13a9407f85a1c6762327');
INSERT INTO "tells" VALUES('01a1fea8-e4ac-7385-b799-488364600136',0,0,'grown','{"scorer": "formula", "children": [["53f79b31b4f7f4c15dadddaa6614e2af253ffd96fa7bd86374099e1ef4b8173c", 1], ["d9f1e26d559b75696109db063c401edef704dc7df8160971b3e39d753a37a06e", 1]], "tokens": 8, "calls": 1, "seconds": 0.127}',11,'3e134d260d4e22e2c84ddafac880c274b2ce7c517db71db7bdd255af0cec6bcc');
INSERT INTO "tells" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d',0,0,'grown','{"scorer": "formula", "children": [["07371416d60f6b6b5bb4d47bb2889ac22f40656684211e2e74f510ca709bb1af", 1], ["253266d6f342859a70ca9130ba9fc5532cc3a37dea4629ae7633dfa8cc75914e", 1]], "tokens": 8, "calls": 1, "seconds": 0.15}',11,'65f626ba5a6857083fd535a6996b1f12bbf237b137b1d1fdac7b4659ac9bba0f');
INSERT INTO "tells" VALUES('01a1fea8-e4ac-7385-b799-488364600136',1,1,'grown','{"scorer": "formula", "children": [["a9a282f547fcc388a0ccb89b84994039ce78d94e5e5c231de228bf4d98cbaab9", 1], ["00c9ef1c735d6e7086df4613ca48f0fb7666a23b804bbdb79bb7605edad9846f", 1]], "tokens": 8, "calls": 1, "seconds": 0.195}',22,'719bee88cca4c873c1d464d0b03cfc59a283a69e47d38350239136ba56e9d1b8');
INSERT INTO "tells" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d',1,1,'grown','{"scorer": "formula", "children": [["6a6aa8f4e13609b73092823a9475727f2dad72de3462c681987be4b681db70c3", 1], ["71c85c73c23c571662f24eaef8887e52c08998be2647320aeb06a5258efee884", 1]], "tokens": 7, "calls": 1, "seconds": 0.202}',22,'fd8e43b4b30234dd86a8bbb4240f01b3f9920e4b825a2aa29527ce7bcd86c7df');
INSERT INTO "tells" VALUES('01a1fea8-e4ac-7385-b799-488364600136',2,2,'grown','{"scorer": "formula", "children": [["9ad86f1b2356c3d16662d72ec4d32c63c528d437582839dc0ab1d39d05b81035", 1], ["ffd7ea9415c1a407e243a94bb47fe1f3972b897cb565d8c7fb4005812fb8ac27", 1]], "tokens": 5, "calls": 1, "seconds": 0.264}',33,'91ae53db4dd4a493a1be9cd86ea99d48d3f757513bec2e642f14d69f4929ebd0');
INSERT INTO "tells" VALUES('01a1fea8-e4ab-7139-9852-3185aa093c4d',2,2,'grown','{"scorer": "formula", "children": [["9799c3ea97fe8f3da52bbffc3e901e8fa083c9c0f135035861371672e1376090", 1], ["904b77b3ce2cd34ab2cc65fa48f8192ab8ef58e8507d2a74b73762e5cf1a9dcd", 1]], "tokens": 8, "calls": 1, "seconds": 0.28}',33,'01a28544ea7dad98a53a7a9350a8d1e661c5107a5b62724e845bd62eeec063bf');
CREATE INDEX ix_searches_key ON searches ("key");
COMMIT;
